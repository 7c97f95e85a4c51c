"""Processor time by process: what a picture costs, whatever else the machine is busy with."""

from collections.abc import Mapping

import psutil

_NAMES = {
    "sightline.decoder.process": "decoders",
    "sightline_embedder": "embedder",
    "sightline_api": "api",
    "sightline.index": "index",
    "redis-server": "redis",
    "bench.stock_ingest": "stock",
}


def kind_of(command: str) -> str | None:
    """What a process is, by its command line; None for one that is no part of Sightline."""
    return next((name for part, name in _NAMES.items() if part in command), None)


def cpu_seconds(root: psutil.Process) -> dict[str, float]:
    """Seconds of processor time used so far by a process and those below it, by what they are."""
    seconds: dict[str, float] = {}
    for process in (root, *root.children(recursive=True)):
        try:
            with process.oneshot():
                command, times = " ".join(process.cmdline()), process.cpu_times()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        name = kind_of(command) or "other"
        seconds[name] = seconds.get(name, 0.0) + times.user + times.system
    return seconds


def ms_per_picture(
    before: Mapping[str, float], after: Mapping[str, float], pictures: int
) -> dict[str, float]:
    """What each kind of process used between two looks, in milliseconds per picture."""
    spent = {name: (now - before.get(name, 0.0)) / pictures * 1000 for name, now in after.items()}
    return {name: round(ms, 2) for name, ms in sorted(spent.items()) if ms > 0}
