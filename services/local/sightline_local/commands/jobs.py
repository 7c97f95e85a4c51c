"""`sightline jobs`."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from sightline_local.client import ApiClient
from sightline_local.commands.job_progress import follow_jobs
from sightline_local.commands.options import DEFAULT_URL, AsJson, Limit, Url, client
from sightline_local.commands.output import print_json, print_table


def jobs(
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One job, with its failures.")] = None,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Index nothing more of the job.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Start a job of what failed in this one.")] = False,
    reason: Annotated[str | None, typer.Option(help="With --retry: only what failed for this.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Watch the job until it has ended.")] = False,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show jobs, newest first, or one job and what failed in it; cancel one, or retry what failed."""
    _check_options(job_id, cancel=cancel, retry=retry, reason=reason, follow=follow)
    api = client(url)
    if job_id is None:
        listed = list(islice(api.pages("/v1/jobs", {"state": state}), limit))
        print_json(listed) if json else _print_jobs(listed)
        return
    if cancel:
        api.post(f"/v1/jobs/{job_id}/cancel", None)
    if retry:
        job_id = str(api.post(f"/v1/jobs/{job_id}/retry", {"reason": reason})["id"])
    if follow:
        (ended,) = follow_jobs(api, [job_id], quiet=json)
    if json or not follow:
        _show(api, job_id, json=json)
    if follow and not cancel and ended["state"] != "succeeded":
        raise typer.Exit(1)


def _check_options(
    job_id: str | None, *, cancel: bool, retry: bool, reason: str | None, follow: bool
) -> None:
    if job_id is None and (cancel or retry or follow):
        raise typer.BadParameter("name the job: sightline jobs ID --cancel, --retry or --follow")
    if cancel and retry:
        raise typer.BadParameter("cancel first, and retry when the job has ended")
    if reason and not retry:
        raise typer.BadParameter("--reason says what --retry should try again")


def _show(api: ApiClient, job_id: str, *, json: bool) -> None:
    job = api.get(f"/v1/jobs/{job_id}")
    failures = list(api.pages(f"/v1/jobs/{job_id}/failures"))
    if json:
        print_json(job | {"failures": failures})
        return
    _print_jobs([job])
    if failures:
        print_table(
            ("source", "reason", "detail"),
            [[one["source"], one["reason"], one["detail"]] for one in failures],
        )


def _print_jobs(listed: Sequence[Any]) -> None:
    counted = ("total", "indexed", "unchanged", "failed", "canceled")
    print_table(
        ("id", "kind", "state", *counted, "created"),
        [
            [
                job["id"],
                job["kind"],
                job["state"],
                *(str(job["counts"][name]) for name in counted),
                job["created_at"],
            ]
            for job in listed
        ],
    )
