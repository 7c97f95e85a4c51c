"""Mixed load for a chosen time: does anything grow, slow down or get lost?

    python -m bench.soak --minutes 30 [--model FOLDER]

An embedded stack is searched, looked at, uploaded to and deleted from at once, while keys are made, used and
revoked (soak_load.py). The first fifth is for warming up. Of the rest, memory, open files and latency of the
last third are compared with those of the first, less what is kept by design; every picture
that was sent must be in the index, deleted, or among the failures of its job; and every answer must be one
that is expected. Exits with 1 where one of these does not hold.
"""

import argparse
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from bench.cpu_time import kind_of
from bench.embedded_stack import embedded_stack
from bench.soak_load import Load, Memory, having

SAMPLE_EVERY_S = 2.0
WARM_SHARE = 0.2
MOST_GROWTH = {"MiB": 1.10, "files": 1.10, "p50_ms": 1.25, "p95_ms": 1.5}
"""Of the last third over the first; what the noise of a shared machine reaches in a soak of half an hour."""
KEPT_BYTES = {("redis", "jobs"): 7_800, ("redis", "deleted"): 125, ("index", "deleted"): 2_000}
"""What stays by design: in Redis of a job of 20 uploads and of a deletion (SIGHTLINE_JOB_RETENTION_DAYS), and
in the index of a deleted point, until there are 50,000."""
START_WITHIN_S = 300
END_WITHIN_S = 300


@dataclass(frozen=True)
class Drift:
    """A quantity of a process or of searches: its median in the first third and in the last.

    `kept` is what of the last is there by design.
    """

    what: str
    unit: str
    first: float
    last: float
    kept: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether it grew by no more than noise; a handful of open files is no growth."""
        slack = 5 if self.unit == "files" else self.kept
        return self.last <= self.first * MOST_GROWTH[self.unit] + slack


@dataclass(frozen=True)
class Accounts:
    """Where the pictures are that were sent; `unaccounted` should be 0."""

    sent: int
    indexed: int
    unchanged: int
    canceled: int
    failed: int
    deleted: int
    present: int
    unfinished_jobs: int

    @property
    def unaccounted(self) -> int:
        """Pictures without an outcome, and outcomes without a picture."""
        ended = self.indexed + self.unchanged + self.canceled + self.failed
        return abs(self.sent - ended) + abs(self.indexed - self.deleted - self.present)


def measure(*, minutes: float, model: str, seed: int = 1) -> dict[str, Any]:
    """Soak an embedded stack; drifts, accounts, statuses and faults."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        key = secrets.token_hex()
        settings = {"SIGHTLINE_API_KEY": key}
        with embedded_stack(root / "data", model, root / "pictures", settings) as (stack, api):
            api.headers.update(having(key))
            _await_embedder(api)
            load = Load(str(api.base_url), key, seed)
            load.start()
            try:
                samples = _sampled(stack, load.memory, minutes * 60)
            finally:
                load.stop()
            accounts = _accounts(api, load.memory)
    drifts = [*_process_drifts(samples), *_latency_drifts(load.memory, minutes * 60)]
    return {
        "minutes": minutes,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[2], 1),
        "drifts": [asdict(drift) | {"holds": drift.holds} for drift in drifts],
        "accounts": asdict(accounts) | {"unaccounted": accounts.unaccounted},
        "searches": len(load.memory.latencies_ms),
        "statuses": dict(load.memory.statuses),
        "faults": load.memory.faults,
    }


def _await_embedder(api: httpx.Client) -> None:
    """Until it takes messages: one that still loads its model would be taken for one that grows."""
    until = time.monotonic() + START_WITHIN_S
    while not api.get("/v1/stats").raise_for_status().json()["embedders"]:
        if time.monotonic() > until:
            raise RuntimeError(f"No embedder took messages within {START_WITHIN_S} s.")
        time.sleep(0.5)


def _sampled(stack: psutil.Process, memory: Memory, seconds: float) -> list[dict[str, dict[str, float]]]:
    """MiB of their own and open files by kind of process every SAMPLE_EVERY_S, and what is kept by design."""
    samples = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sample: dict[str, dict[str, float]] = defaultdict(lambda: {"MiB": 0.0, "files": 0.0})
        for process in stack.children(recursive=True):
            try:
                if kind := kind_of(" ".join(process.cmdline())):
                    sample[kind]["MiB"] += _own_bytes(process) / (1 << 20)
                    sample[kind]["files"] += process.num_fds()
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        happened = {"jobs": len(memory.jobs), "deleted": memory.deleted}
        for (kind, what), size in KEPT_BYTES.items():
            sample[kind]["kept"] = sample[kind].get("kept", 0.0) + size * happened[what] / (1 << 20)
        samples.append(dict(sample))
        time.sleep(SAMPLE_EVERY_S)
    return samples


def _own_bytes(process: psutil.Process) -> int:
    """What a process keeps in memory for itself: the system takes pages of files back when it needs room."""
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _process_drifts(samples: list[dict[str, dict[str, float]]]) -> list[Drift]:
    kept = samples[int(len(samples) * WARM_SHARE) :]
    third = max(len(kept) // 3, 1)
    kinds = sorted({kind for sample in kept for kind in sample})
    first, last = kept[:third], kept[-third:]
    return [
        Drift(
            kind,
            unit,
            _median(first, kind, unit),
            _median(last, kind, unit),
            kept=_median(last, kind, "kept") - _median(first, kind, "kept") if unit == "MiB" else 0.0,
        )
        for kind in kinds
        for unit in ("MiB", "files")
    ]


def _median(samples: list[dict[str, dict[str, float]]], kind: str, unit: str) -> float:
    return round(statistics.median(sample.get(kind, {}).get(unit, 0.0) for sample in samples), 1)


def _latency_drifts(memory: Memory, seconds: float) -> list[Drift]:
    warm_s = seconds * WARM_SHARE
    third_s = (seconds - warm_s) / 3
    first = [took for sent, took in memory.latencies_ms if warm_s <= sent < warm_s + third_s]
    last = [took for sent, took in memory.latencies_ms if sent >= seconds - third_s]
    return [
        Drift("search", unit, _quantile(first, share), _quantile(last, share))
        for unit, share in (("p50_ms", 0.5), ("p95_ms", 0.95))
    ]


def _quantile(values: list[float], share: float) -> float:
    return round(float(np.quantile(values, share)), 1)


def _accounts(api: httpx.Client, memory: Memory) -> Accounts:
    """Once every job has ended."""
    until = time.monotonic() + END_WITHIN_S
    jobs = [_ended(api, f"/v1/jobs/{one}", until) for one in memory.jobs]
    collections = api.get("/v1/stats").raise_for_status().json()["collections"]
    return Accounts(
        sent=memory.sound + memory.broken,
        **{
            outcome: sum(job["counts"][outcome] for job in jobs)
            for outcome in ("indexed", "unchanged", "canceled", "failed")
        },
        deleted=memory.deleted,
        present=sum(one["points"] for one in collections),
        unfinished_jobs=sum(job["finished_at"] is None for job in jobs),
    )


def _ended(api: httpx.Client, job: str, until: float) -> Any:
    """A job once it has ended, or as it stands at `until`."""
    left_s = max(until - time.monotonic(), 1.0)
    with suppress(httpx.ReadTimeout), api.stream("GET", f"{job}/events", timeout=left_s) as events:
        for line in events.raise_for_status().iter_lines():
            if line == "event: done" or time.monotonic() > until:
                break
    return api.get(job).raise_for_status().json()


def holds(found: dict[str, Any]) -> bool:
    """Whether nothing grew, slowed down, failed or was lost."""
    lost = found["accounts"]["unaccounted"] or found["accounts"]["unfinished_jobs"]
    return not lost and not found["faults"] and all(drift["holds"] for drift in found["drifts"])


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    machine = f"{found['cores']} cores, load {found['load_average']}"
    named = ("first third", "last third", "of it by design", "ratio", "holds")
    drifts = Table(f"{found['minutes']:g} minutes, {machine}", *named)
    for one in found["drifts"]:
        ratio = f"{one['last'] / one['first']:.2f}" if one["first"] else ""
        unit = one["unit"].replace("_", " ")
        drifts.add_row(
            f"{one['what']}, {unit}",
            str(one["first"]),
            str(one["last"]),
            f"{one['kept']:.1f}" if one["kept"] else "",
            ratio,
            "yes" if one["holds"] else "NO",
        )
    accounts = Table("pictures", "")
    for name, value in found["accounts"].items():
        accounts.add_row(name.replace("_", " "), f"{value:,}")
    accounts.add_row("searches", f"{found['searches']:,}")
    accounts.add_row(
        "answers by status", ", ".join(f"{k}: {v:,}" for k, v in sorted(found["statuses"].items()))
    )
    for fault in found["faults"][:20]:
        accounts.add_row("fault", fault)
    return [drifts, accounts]


def main() -> int:
    """Print the figures as tables, or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", default="starter", help="name or folder of an artifact")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(minutes=options.minutes, model=options.model)
    if options.json:
        print(json.dumps(found))
    else:
        for table in tables(found):
            Console(width=120).print(table)
    return 0 if holds(found) else 1


if __name__ == "__main__":
    sys.exit(main())
