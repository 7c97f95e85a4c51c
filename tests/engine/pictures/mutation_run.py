"""Decode mutated files in decode processes and write what became of each, as JSON.

    python tests/engine/pictures/mutation_run.py --seed 1 --count 2000

It is a process of its own so that the memory it reads is that of its decode processes alone.
"""

import argparse
import hashlib
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from mutations import mutated_files

from sightline.decoder import PictureDecoder
from sightline.encoder.artifact import Preprocessing, View
from sightline.errors import BadPicture, FailureReason
from sightline.settings import MIB, Settings

_PROCESSES = 2
_KEPT_SLOWEST = 10
_CLIP = Preprocessing(
    size=224, views=(View.CENTER_CROP,), resample="bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
)


@dataclass(frozen=True)
class Outcome:
    """What became of a file: `reason` is None if it was decoded."""

    name: str
    seconds: float
    reason: FailureReason | None
    detail: str


def decode_all(seed: int, count: int, memory_bytes: int) -> tuple[list[Outcome], int]:
    """Decode the files of a seed within the limits of default settings, but for memory, EXIF and all.

    Also gives the most that a decode process holds in memory when there is nothing left to do, in bytes.
    """
    settings = Settings(decode_memory_bytes=memory_bytes, exif_fields=["camera", "gps"])
    with (
        PictureDecoder.of(settings, _CLIP, processes=_PROCESSES) as decoder,
        ThreadPoolExecutor(_PROCESSES) as threads,
    ):
        decoder.warm()
        outcomes = list(threads.map(lambda file: _decode(decoder, *file), mutated_files(seed, count)))
        return outcomes, max(child.memory_info().rss for child in psutil.Process().children())


def _decode(decoder: PictureDecoder, name: str, data: bytes) -> Outcome:
    start = time.monotonic()
    try:
        decoder.submit(data).result()
    except BadPicture as error:
        return Outcome(name, time.monotonic() - start, error.reason, error.detail)
    return Outcome(name, time.monotonic() - start, None, "")


def sha256_of(files: Iterable[tuple[str, bytes]]) -> str:
    """One digest of all files, to tell whether two runs saw the same."""
    digest = hashlib.sha256()
    for name, data in files:
        digest.update(name.encode() + data)
    return digest.hexdigest()


def _peak_bytes() -> int:
    """The most that any one decode process held in memory, also of those that were replaced."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def main() -> None:
    """Write a summary and the files that deserve a look; save those if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--memory-mib", type=int, default=768)
    parser.add_argument("--save", type=Path, help="folder for the files that deserve a look")
    options = parser.parse_args()
    outcomes, idle_bytes = decode_all(options.seed, options.count, options.memory_mib * MIB)
    slowest = sorted(outcomes, key=lambda one: -one.seconds)[:_KEPT_SLOWEST]
    suspects = [
        one for one in outcomes if one.reason in (FailureReason.INTERNAL, FailureReason.DECODE_TIMEOUT)
    ]
    report = {
        "files": len(outcomes),
        "sha256": sha256_of(mutated_files(options.seed, options.count)),
        "reasons": dict(Counter(one.reason or "decoded" for one in outcomes)),
        "peak_bytes": _peak_bytes(),
        "idle_bytes": idle_bytes,
        "slowest": [asdict(one) for one in slowest],
        "suspects": [asdict(one) for one in suspects],
    }
    json.dump(report, sys.stdout, indent=1)
    if options.save:
        _save(options.save, options.seed, options.count, {one.name for one in (*slowest, *suspects)})


def _save(folder: Path, seed: int, count: int, names: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in mutated_files(seed, count):
        if name in names:
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
