"""What most people would write: open, encode with sentence-transformers, upsert, in a loop.

    python -m bench.stock_ingest MODEL_FOLDER

Reads lines `COUNT FOLDER` from standard input, and answers each with the seconds that indexing so many
pictures of the folder took. The model is loaded once, before the first line is read.
"""

import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from PIL import Image

_BATCH = 32


def index_folder(model: Any, client: Any, files: list[Path]) -> float:
    """Index the files into a new collection; returns the seconds it took."""
    from qdrant_client.models import Distance, PointStruct, VectorParams

    name = uuid.uuid4().hex
    started = time.perf_counter()
    client.create_collection(name, vectors_config=VectorParams(size=512, distance=Distance.COSINE))
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        images = [Image.open(path).convert("RGB") for path in batch]
        vectors = model.encode(images, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False)
        client.upsert(
            name,
            [
                PointStruct(
                    id=str(uuid.uuid5(uuid.NAMESPACE_URL, str(path))),
                    vector=vector.tolist(),
                    payload={"path": str(path)},
                )
                for path, vector in zip(batch, vectors, strict=True)
            ],
        )
    return time.perf_counter() - started


class StockLoop:
    """The loop in a process of its own, which waits while others are measured."""

    def __init__(self, model: Path) -> None:
        """Start it and wait until the model is loaded."""
        self.process = psutil.Popen(
            [sys.executable, "-m", "bench.stock_ingest", str(model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()

    def pictures_per_s(self, folder: Path, count: int) -> float:
        """Index the first `count` files of a folder."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count} {folder}\n")
        self.process.stdin.flush()
        return count / float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        answer: str = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("The stock loop ended; run `python -m bench.stock_ingest MODEL` to see why.")
        return answer.strip()


def main() -> None:
    """Serve standard input."""
    from qdrant_client import QdrantClient
    from sentence_transformers import SentenceTransformer

    model, client = SentenceTransformer(sys.argv[1], device="cpu"), QdrantClient(":memory:")
    print("ready", flush=True)
    for line in sys.stdin:
        count, folder = line.rstrip("\n").split(" ", 1)
        files = sorted(Path(folder).iterdir())[: int(count)]
        print(index_folder(model, client, files), flush=True)


if __name__ == "__main__":
    main()
