"""`sightline jobs`."""

from itertools import islice
from typing import Annotated

import typer

from sightline_local.commands.options import DEFAULT_URL, AsJson, Limit, Url, client
from sightline_local.commands.output import print_json, print_table


def jobs(
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One job, with its failures.")] = None,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show jobs, newest first, or one job and what failed in it."""
    api = client(url)
    if job_id is None:
        listed = list(islice(api.pages("/v1/jobs", {"state": state}), limit))
        if json:
            print_json(listed)
            return
    else:
        job = api.get(f"/v1/jobs/{job_id}")
        failures = list(api.pages(f"/v1/jobs/{job_id}/failures"))
        if json:
            print_json(job | {"failures": failures})
            return
        listed = [job]
    columns = ("id", "kind", "state", "total", "indexed", "unchanged", "failed", "created")
    counted = ("total", "indexed", "unchanged", "failed")
    print_table(
        columns,
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
    if job_id is not None and failures:
        print_table(
            ("source", "reason", "detail"),
            [[one["source"], one["reason"], one["detail"]] for one in failures],
        )
