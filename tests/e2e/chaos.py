"""Chaos: jobs during which the embedder, the api or Redis is killed at a random moment.

    python tests/e2e/chaos.py --model ARTIFACT --runs 30 --pictures 300 --seed 1

Every run is a folder of pictures of its own and a collection of its own. It must end by itself with
every picture accounted for and exactly the right points; a run that does not is printed, and the
script ends with status 1.
"""

import argparse
import io
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import numpy as np
import psutil
from PIL import Image

VICTIMS = {
    "embedder": "sightline_embedder",
    "api": "sightline_api",
    "redis": "redis-server",
    "index": "sightline.index.edge.process",
}
BAD_PICTURES = (b"", b"no picture at all", b"\xff\xd8\xff\xe0 cut")
WITHIN_S = 240.0


@dataclass(frozen=True)
class Album:
    """The pictures of one run: what was written, and what must come of it."""

    folder: Path
    points: frozenset[str]
    indexed: int
    unchanged: int
    failed: int


@dataclass(frozen=True)
class Run:
    """One run: who was killed when (seconds from the start of the job), and how long it took to end."""

    victim: str
    killed_at_s: float
    ended_s: float
    faults: Sequence[str]


def make_album(folder: Path, pictures: int, chance: random.Random) -> Album:
    """Pictures of which one in thirty cannot be read, and one in sixty is there a second time."""
    folder.mkdir(parents=True)
    failed, unchanged = pictures // 30, pictures // 60
    good = [_picture(chance) for _ in range(pictures - failed - unchanged)]
    files = [*good, *chance.sample(good, unchanged)]
    files += [chance.choice(BAD_PICTURES) for _ in range(failed)]
    chance.shuffle(files)
    for number, data in enumerate(files):
        (folder / f"{number:05}.jpg").write_bytes(data)
    points = frozenset(str(uuid5(NAMESPACE_URL, f"sha256:{sha256(data).hexdigest()}")) for data in good)
    return Album(folder, points, len(good), unchanged, failed)


def _picture(chance: random.Random) -> bytes:
    coarse = np.random.default_rng(chance.getrandbits(64)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(out, "JPEG", quality=80)
    return out.getvalue()


def run_once(stack: Any, album: Album, victim: str | None, kill_at_s: float, collection: str) -> Run:
    """Index an album, kill the victim on the way, and say what was wrong in the end."""
    began = time.monotonic()
    job_id = stack.ingest(album.folder, collection=collection)
    killed_at_s = 0.0
    if victim is not None:
        time.sleep(max(0.0, began + kill_at_s - time.monotonic()))
        killed_at_s = time.monotonic() - began
        _kill(stack, VICTIMS[victim])
    job = _ended_job(stack, job_id)
    ended_s = time.monotonic() - began
    return Run(victim or "nobody", killed_at_s, ended_s, _faults(stack, album, job, collection))


def _kill(stack: Any, name: str) -> None:
    with suppress(psutil.NoSuchProcess):
        stack.child(name).send_signal(signal.SIGKILL)


def _ended_job(stack: Any, job_id: str) -> Any:
    deadline = time.monotonic() + WITHIN_S
    job: Any = None
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError, KeyError):
            job = stack.api.get(f"/v1/jobs/{job_id}").json()
            counts = job["counts"]
            parts = ("pending", "indexed", "unchanged", "failed", "canceled")
            assert sum(counts[part] for part in parts) == counts["total"], counts
            if job["finished_at"]:
                break
        time.sleep(0.1)
    return job


def _faults(stack: Any, album: Album, job: Any, collection: str) -> Sequence[str]:
    if job is None or not job.get("finished_at"):
        return [f"the job did not end in {WITHIN_S:g} s: {job}"]
    faults = []
    counts = {name: job["counts"][name] for name in ("indexed", "unchanged", "failed", "canceled")}
    expected = {"indexed": album.indexed, "unchanged": album.unchanged, "failed": album.failed, "canceled": 0}
    if counts != expected:
        faults.append(f"counts {counts} instead of {expected}")
    if "internal" in job["failures_by_reason"]:
        faults.append(f"a picture was blamed: {job['failures_by_reason']}")
    found = _points(stack, collection)
    if len(found) != len(set(found)) or set(found) != album.points:
        faults.append(f"{len(found)} points, {len(set(found) ^ album.points)} of them wrong or missing")
    return faults


def _points(stack: Any, collection: str) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        parameters = {"collection": collection, "limit": 200} | ({"cursor": cursor} if cursor else {})
        page = stack.api.get("/v1/images", params=parameters).raise_for_status().json()
        found += [image["id"] for image in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def chaos(
    stack: Any, folder: Path, *, runs: int, pictures: int, seed: int, victims: Sequence[str]
) -> Sequence[Run]:
    """An undisturbed run to learn how long one takes, then `runs` with a kill in each."""
    chance = random.Random(seed)
    calm = run_once(stack, make_album(folder / "calm", pictures, chance), None, 0.0, "calm")
    done = [calm]
    for number in range(runs):
        album = make_album(folder / f"{number:03}", pictures, chance)
        victim = victims[number % len(victims)]
        run = run_once(stack, album, victim, chance.uniform(0, calm.ended_s), f"run-{number:03}")
        done.append(run)
        sys.stderr.write(
            f"{number:3} {run.victim:9} killed {run.killed_at_s:5.1f} s  ended {run.ended_s:5.1f} s"
        )
        sys.stderr.write(f"  {'; '.join(run.faults) or 'right'}\n")
    return done


def main() -> int:
    """Run the chaos of the arguments and print what came of it."""
    sys.path.append(str(Path(__file__).parent.parent))
    from running_stack import running

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a model artifact")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=["embedder", "api", "redis"])
    parser.add_argument("--folder", type=Path, help="where pictures, data and log are kept; else they go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        (root / "albums").mkdir(parents=True)
        with running(options.model, root / "data", root / "albums") as stack:
            done = chaos(
                stack,
                root / "albums",
                runs=options.runs,
                pictures=options.pictures,
                seed=options.seed,
                victims=options.victims,
            )
    wrong = [run for run in done if run.faults]
    sys.stdout.write(f"{len(done) - len(wrong)} of {len(done)} runs right\n")
    for victim in ("nobody", *options.victims):
        times = [run.ended_s for run in done if run.victim == victim]
        if times:
            sys.stdout.write(
                f"{victim}: median {statistics.median(times):.1f} s, longest {max(times):.1f} s\n"
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
