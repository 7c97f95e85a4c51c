"""One encoder in a process of its own, which stands still while others are measured.

    python -m bench.encoder_process RUNTIME SOURCE PICTURES.npz

Answers lines of standard input: `pictures SECONDS` with pictures per second, `text CALLS SEED` with the
median milliseconds of one new text, `vectors FILE.npy` with nothing, after writing the vectors there.
"""

import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.encoder_runtimes import Runtime, load_runtime
from bench.http_load import random_text
from bench.prepared_pictures import PreparedPictures


class EncoderProcess:
    """The parent's side.

    The process is stopped (SIGSTOP) between calls: libraries whose threads spin for a while after their
    work would take time from whoever comes next.
    """

    def __init__(self, runtime: str, source: Path, pictures: Path) -> None:
        """Start it and wait until the model is loaded; raises RuntimeError if it cannot be.

        It writes a log beside the file of pictures.
        """
        self._runtime = runtime
        self._log = pictures.with_name(f"{runtime}.log")
        command = [sys.executable, "-m", "bench.encoder_process", runtime, str(source), str(pictures)]
        with self._log.open("wb") as log:
            self._process = psutil.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def pictures_per_s(self, seconds: float) -> float:
        """The rate over about so many seconds, after one batch that is not counted."""
        return float(self._ask(f"pictures {seconds}"))

    def text_ms(self, calls: int, seed: int) -> float:
        """The median time of one text, in milliseconds."""
        return float(self._ask(f"text {calls} {seed}"))

    def vectors(self, folder: Path) -> NDArray[np.float32]:
        """The vectors of the pictures, float32, shape (n, dimension)."""
        file = folder / f"{self._runtime}.npy"
        self._ask(f"vectors {file}")
        found: NDArray[np.float32] = np.load(file)
        return found

    def _ask(self, line: str) -> str:
        self._process.resume()
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        answer: str = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The encoder {self._runtime} ended: {self._log.read_text()[-2000:]}")
        self._process.suspend()
        return answer.strip()


def _pictures_per_s(runtime: Runtime, seconds: float) -> float:
    runtime.encode()
    started, pictures = time.perf_counter(), 0
    while (took := time.perf_counter() - started) < seconds or not pictures:
        pictures += len(runtime.encode())
    return pictures / took


def _text_ms(runtime: Runtime, calls: int, seed: str) -> float:
    chance, took_ms = random.Random(seed), []
    runtime.encode_text(random_text(chance))
    for _ in range(calls):
        text = random_text(chance)
        started = time.perf_counter()
        runtime.encode_text(text)
        took_ms.append((time.perf_counter() - started) * 1000)
    return median(took_ms)


def main() -> None:
    """Serve standard input."""
    name, source, pictures = sys.argv[1:]
    runtime = load_runtime(name, Path(source), PreparedPictures.load(Path(pictures)))
    print("ready", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["pictures", seconds]:
                print(_pictures_per_s(runtime, float(seconds)), flush=True)
            case ["text", calls, seed]:
                print(_text_ms(runtime, int(calls), seed), flush=True)
            case ["vectors", file]:
                np.save(file, runtime.encode())
                print("done", flush=True)


if __name__ == "__main__":
    main()
