"""A slow download leaves an embedder its other place: the next one is put off, and not forgotten."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from celery import Celery
from hostile_site import Site, Visit
from PIL import Image
from planner_by_hand import messages, planner
from redis import Redis
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.media import FolderMediaStore
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.queue.sources import ArchiveSource, FolderSource
from sightline.settings import Settings
from sightline_embedder.planning import Planner
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener


@pytest.fixture
def go_on() -> Event:
    """Lets the slow archive arrive."""
    return Event()


@pytest.fixture
def site(go_on: Event) -> Iterator[Site]:
    def slow(visit: Visit) -> None:
        go_on.wait(60)
        visit.answer(_archive())

    site = Site({"/slow.zip": slow, "/other.zip": lambda visit: visit.answer(_archive())})
    yield site
    site.stop()


@pytest.fixture
def one(redis: Redis, ledger: Ledger, broker: Celery, folder: Path) -> Iterator[Planner]:
    settings = Settings(
        data_dir=folder / ".data", import_roots=[folder], fetch_allowed_networks=["127.0.0.0/8"]
    )
    media = FolderMediaStore(folder / ".media")
    remotes = Remotes.of(settings)
    opener = SourceOpener.of(settings, ledger, media, remotes)
    yield planner(redis, ledger, broker, folder, opener=opener)
    remotes.close()


@pytest.fixture
def start_download(one: Planner, ledger: Ledger, site: Site, go_on: Event) -> Iterator[Callable[[], Thread]]:
    """Have a thread plan the slow archive; it is waiting for it then."""

    @retry(stop=stop_after_delay(30), wait=wait_fixed(0.01))
    def asked_for() -> None:
        assert site.visits

    threads: list[Thread] = []

    def start() -> Thread:
        thread = Thread(target=one.plan, args=(archive_job(ledger, site, "slow"),))
        threads.append(thread)
        thread.start()
        asked_for()
        return thread

    yield start
    go_on.set()
    for thread in threads:
        thread.join(60)


def archive_job(ledger: Ledger, site: Site, name: str) -> str:
    source = ArchiveSource(url=f"http://127.0.0.1:{site.port}/{name}.zip")
    return ledger.create(JobRequest(collection="images", source=source)).id


def test_a_second_download_waits_for_the_first(
    redis: Redis,
    ledger: Ledger,
    site: Site,
    one: Planner,
    go_on: Event,
    start_download: Callable[[], Thread],
) -> None:
    first = start_download()
    other = archive_job(ledger, site, "other")

    one.plan(other)

    assert [visit.path for visit in site.visits] == ["/slow.zip"]
    assert not ledger.job(other).state.final
    assert other not in asked_for(redis)
    go_on.set()
    first.join(60)
    assert other in asked_for(redis)
    one.plan(other)
    assert ledger.job(other).counts.total == 1


def test_pictures_that_need_no_download_go_in_meanwhile(
    ledger: Ledger, folder: Path, one: Planner, start_download: Callable[[], Thread]
) -> None:
    start_download()
    job = ledger.create(JobRequest(collection="images", source=FolderSource(path=str(folder))))
    one.plan(job.id)
    assert ledger.job(job.id).counts.total > 0


def test_one_that_was_put_off_as_the_other_ended_is_asked_for_at_once(
    redis: Redis,
    ledger: Ledger,
    site: Site,
    one: Planner,
    go_on: Event,
    start_download: Callable[[], Thread],
) -> None:
    first = start_download()
    other = archive_job(ledger, site, "other")
    note = one._put_off.add

    def note_late(job_id: str) -> None:
        go_on.set()
        first.join(60)
        note(job_id)

    one._put_off.add = note_late  # type: ignore[method-assign]
    one.plan(other)
    assert other in asked_for(redis)


def asked_for(redis: Redis) -> list[object]:
    """The jobs that messages ask to be planned."""
    return [one["job_id"] for one in messages(redis, Queue.PLAN)]


def _archive() -> bytes:
    picture, archive = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", picture.getvalue())
    return archive.getvalue()
