"""A job's progress on a terminal: rate, time left, and at the end what failed and why."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from sightline_local.client import ApiClient
from sightline_local.commands.output import print_table

_POLL_S = 0.25
_FINAL = ("succeeded", "partial", "failed", "canceled")


def follow_jobs(
    api: ApiClient, job_ids: Sequence[str], *, quiet: bool = False, doing: str = "indexing"
) -> Sequence[Any]:
    """Show the jobs together until all have ended; returns them as they ended."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(doing, total=None, rate=0.0)
        while True:
            jobs = [api.get(f"/v1/jobs/{job_id}") for job_id in job_ids]
            done = sum(job["counts"]["total"] - job["counts"]["pending"] for job in jobs)
            total = sum(job["counts"]["total"] for job in jobs)
            known = all(job["total_known"] for job in jobs)
            rate = sum(job["rate_per_s"] or 0.0 for job in jobs)
            progress.update(bar, completed=done, total=total if known else None, rate=rate)
            if all(job["state"] in _FINAL for job in jobs):
                break
            time.sleep(_POLL_S)
    if not quiet:
        print_summary(jobs)
    return jobs


def print_summary(jobs: Sequence[Any]) -> None:
    """What became of the pictures, failures by reason."""
    names = ("indexed", "unchanged", "failed")
    counts = {name: sum(job["counts"][name] for job in jobs) for name in names}
    Console().print(", ".join(f"{count} {name}" for name, count in counts.items()))
    reasons: dict[str, int] = {}
    for job in jobs:
        for reason, count in job["failures_by_reason"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    if reasons:
        print_table(("reason", "pictures"), [(reason, str(count)) for reason, count in reasons.items()])
    for job in jobs:
        if job["error"]:
            Console(stderr=True).print(f"[red]{job['error']['detail']}")
        if job["counts"]["failed"]:
            Console().print(f"Which ones: sightline jobs {job['id']}")
