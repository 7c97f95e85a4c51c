"""More jobs than the page can listen to at once, of an API that says what a test wants."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser import PATIENCE_MS
from playwright.sync_api import Route, expect
from tenacity import retry, stop_after_delay, wait_fixed
from visit import Visit

LISTED = 30
LOOK_AGAIN_MS = 3_000
NOBODY = {
    "id": "anonymous",
    "name": "",
    "scope": "admin",
    "collections": None,
    "default_collection": "images",
}


def job_of(number: int, **more: Any) -> dict[str, Any]:
    """A job; the higher its number, the later it was made."""
    counts = {"total": 9, "pending": 9, "indexed": 0, "unchanged": 0, "failed": 0, "canceled": 0}
    made = {"id": f"job-{number:02}", "created_at": f"2024-06-01T12:{number:02}:00Z", "collection": "images"}
    said = {"total_known": True, "rate_per_s": None, "eta_s": None, "error": None, "failures_by_reason": {}}
    return {"kind": "upload", "state": "queued", "counts": counts, **made, **said, **more}


def ended(job: dict[str, Any]) -> dict[str, Any]:
    return job | {"state": "succeeded", "counts": job["counts"] | {"pending": 0, "indexed": 9}}


@dataclass
class Answers:
    """Answers the page's requests; streams of events wait, by the ids of their jobs."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    streams: dict[str, Route] = field(default_factory=dict)

    def make(self, *jobs: dict[str, Any]) -> None:
        self.jobs |= {job["id"]: job for job in jobs}

    def end(self, number: int) -> None:
        """End a job, and say so to who listens."""
        job = ended(self.jobs[f"job-{number:02}"])
        self.make(job)
        body = f"event: progress\ndata: {json.dumps(job)}\n\nevent: done\ndata: {{}}\n\n"
        self.streams.pop(job["id"]).fulfill(body=body, content_type="text/event-stream")

    def answer(self, route: Route) -> None:
        match urlsplit(route.request.url).path.split("/")[2:]:
            case ["caller"]:
                route.fulfill(json=NOBODY)
            case ["jobs"]:
                newest = sorted(self.jobs.values(), key=lambda job: str(job["id"]), reverse=True)[:LISTED]
                route.fulfill(json={"items": newest, "next_cursor": None})
            case ["jobs", name]:
                route.fulfill(json=self.jobs[name])
            case ["jobs", name, "events"]:
                self.streams[name] = route
            case _:
                route.fulfill(json={"items": [], "next_cursor": None})


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def early(visit: Callable[..., Visit], page_files: str, answers: Answers) -> Visit:
    """A visit whose page is not open yet, and of which nothing but files is real."""
    begun = visit(page_files).open("/web/icon.svg")
    begun.page.route("**/v1/**", answers.answer)
    return begun


@retry(stop=stop_after_delay(PATIENCE_MS / 1000), wait=wait_fixed(0.05), reraise=True)
def await_streams(visit: Visit, answers: Answers, *numbers: int) -> None:
    """Wait until the page listens to these jobs and no other."""
    # Meanwhile requests are answered. Bodies that nobody reads would use up the browser's room for others.
    visit.page.evaluate("() => fetch('/web/icon.svg').then((answer) => answer.text())")
    assert set(answers.streams) == {f"job-{number:02}" for number in numbers}


def test_the_oldest_jobs_under_way_are_listened_to_and_the_next_as_one_ends(
    early: Visit, answers: Answers
) -> None:
    answers.make(*(job_of(number) for number in range(8)))
    early.open()
    await_streams(early, answers, 0, 1, 2)
    early.button("Jobs").click()

    answers.end(1)
    await_streams(early, answers, 0, 2, 3)
    answers.end(0)
    await_streams(early, answers, 2, 3, 4)

    for number in (0, 1):
        ended_one = early.jobs.locator(f"[data-job='job-{number:02}']")
        expect(ended_one).to_have_attribute("data-state", "succeeded")


def test_jobs_that_are_too_old_for_the_list_do_not_stand_still(early: Visit, answers: Answers) -> None:
    answers.make(*(job_of(number) for number in range(5)))
    early.page.clock.install()
    early.open()
    await_streams(early, answers, 0, 1, 2)
    early.button("Jobs").click()
    expect(early.jobs.get_by_role("article")).to_have_count(5)
    early.stop_clock()
    answers.make(*(job_of(number) for number in range(10, 10 + LISTED)), ended(job_of(4)))

    with early.page.expect_request("**/v1/jobs/job-04"):
        early.page.clock.fast_forward(LOOK_AGAIN_MS)

    expect(early.jobs.locator("[data-job='job-04']")).to_have_attribute("data-state", "succeeded")
    expect(early.jobs.locator("[data-job='job-03']")).to_have_attribute("data-state", "queued")


@pytest.mark.parametrize("other", [{"kind": "duplicates"}, {"kind": "export"}, {"collection": "others"}])
def test_jobs_that_bring_no_pictures_here_are_not_waited_for(
    early: Visit, answers: Answers, other: dict[str, str]
) -> None:
    answers.make(job_of(0, **other))
    early.open()
    await_streams(early, answers, 0)

    expect(early.notice).to_contain_text("Drop files or folders here")
    expect(early.notice).not_to_contain_text("on the way")


def test_pictures_on_their_way_to_an_empty_wall_are_counted(early: Visit, answers: Answers) -> None:
    answers.make(job_of(0), job_of(1, collection="others"))
    early.open()
    await_streams(early, answers, 0, 1)

    expect(early.notice).to_contain_text(re.compile("9 files on the way"))
