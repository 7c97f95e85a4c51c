"""The index follows a folder: a real index, ledger and pipeline, against a model of what must be there."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from celery import Celery
from PIL import Image
from redis import Redis
from running_index import running_index

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.registry import ModelRegistry, open_encoder
from sightline.errors import MediaNotFound
from sightline.file_uri import path_of
from sightline.identity import point_id, sha256_of
from sightline.index import CollectionSpec, StoredPoint, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import Job, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.sources import FolderSource, Item
from sightline.served import VersionsWritten
from sightline.settings import Settings
from sightline.tracing import NO_TRACES
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.embedding import Destinations, EmbeddingModel
from sightline_embedder.errors import PointsGone
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.reading import PictureReader, RawPicture
from sightline_embedder.recording import FileRecorder
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.stages import Telemetry
from sightline_embedder.syncing import FolderSync

BATCH_PICTURES = 3
COLLECTION = "images"


class CountingReader(PictureReader):
    """Notes the names of the files it opens; something may happen just before."""

    opened: list[str]
    happenings: dict[str, Callable[[], None]]

    def read(self, collection: str, item: Item) -> RawPicture:
        name = path_of(item.uri).name
        self.opened.append(name)
        if name in self.happenings:
            self.happenings[name]()
        return super().read(collection, item)


@dataclass
class OneModel:
    """A registry of one model."""

    encoder: Encoder

    def get(self, space: str, precision: object = None) -> EmbeddingModel:
        assert (space, precision) == (self.encoder.manifest.space, None)
        return EmbeddingModel(self.encoder, None)


@dataclass
class Embedder:
    """What a worker consists of, driven by hand."""

    redis: Redis
    broker: Celery
    ledger: Ledger
    index: VectorIndex
    encoder: Encoder
    decoder: PictureDecoder
    root: Path
    media: FolderMediaStore
    opened: list[str] = field(default_factory=list)
    happenings: dict[str, Callable[[], None]] = field(default_factory=dict)

    @contextmanager
    def before_reading(self, name: str, happening: Callable[[], None]) -> Iterator[None]:
        self.happenings[name] = happening
        yield
        del self.happenings[name]

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.root.parent / "data", import_roots=[self.root])

    def planner(self, **options: float) -> Planner:
        return Planner(
            self.ledger,
            self.broker,
            opener=SourceOpener.of(self.settings, self.ledger, self.media, Remotes.of(self.settings)),
            sync=FolderSync(self.redis, self.index, self.writer(), self.media, batch_pictures=BATCH_PICTURES),
            scan=DuplicateScan(self.index, Duplicates(self.redis, timedelta(days=1))),
            migrations=MigrationPlan(self.index, Migrations(self.redis), batch_pictures=BATCH_PICTURES),
            portable=lambda *_: None,
            batch_pictures=BATCH_PICTURES,
            batches_in_flight=2,
            **options,
        )

    def writer(self, index: VectorIndex | None = None) -> PointWriter:
        return PointWriter(index or self.index, VersionsWritten(Migrations(self.redis)))

    def indexer(self, index: VectorIndex | None = None) -> BatchIndexer:
        reader = CountingReader.of(self.settings, self.media, Remotes.of(self.settings))
        reader.opened, reader.happenings = self.opened, self.happenings
        return BatchIndexer(
            reader=reader,
            decoder=self.decoder,
            destinations=Destinations(
                self.index,
                cast("ModelRegistry[EmbeddingModel]", OneModel(self.encoder)),
                Migrations(self.redis),
            ),
            writer=self.writer(index),
            index=index or self.index,
            media=self.media,
            deletions=Deletions(self.redis, timedelta(days=1)),
            recorder=FileRecorder(self.redis),
            telemetry=Telemetry(EmbedderMetrics(), NO_TRACES),
        )

    def start(self, folder: Path, **source: bool) -> str:
        request = JobRequest(collection=COLLECTION, source=FolderSource(path=str(folder), **source))
        return self.ledger.create(request).id

    def run(self, folder: Path, *, sync: bool = True, chance: random.Random | None = None) -> Job:
        """Run a job to its end; with `chance` planners and batches die and are repeated."""
        self.opened.clear()
        job_id = self.start(folder, sync=sync)
        planner, indexer = self.planner(), self.indexer()
        for _ in range(1000):
            if (job := self.ledger.job(job_id)).state.final:
                return job
            planner.plan(job_id)
            if chance and chance.random() < 0.5:
                planner = self.planner(planning_s=chance.choice([0.0, 10.0]))
            for batch_id in self.ledger.pending_batches(job_id):
                self.finish(job, batch_id, indexer, repeat=bool(chance and chance.random() < 0.3))
                if chance and chance.random() < 0.3:
                    break
        raise AssertionError("the job does not end")

    def finish(self, job: Job, batch_id: str, indexer: BatchIndexer, *, repeat: bool = False) -> None:
        batch = self.ledger.batch(job.id, batch_id)
        if batch is None:
            return
        if repeat:
            indexer.run(job, batch)
        while True:
            try:
                self.ledger.set_outcome(job.id, batch_id, indexer.run(job, batch))
                return
            except PointsGone:
                continue

    def points(self) -> dict[str, StoredPoint]:
        page = self.index.browse(COLLECTION, sort="indexed_at", limit=200, cursor=None, filter=None)
        assert page.next_cursor is None
        return {point.id: point for point in page.points}

    def sources(self) -> dict[str, set[str]]:
        """Names of the files that each point has as sources."""
        return {
            one: {path_of(source.uri).name for source in point.payload.sources.values()}
            for one, point in self.points().items()
        }


@pytest.fixture(scope="module")
def client() -> Iterator[EdgeClient]:
    with running_index() as client:
        yield client


@pytest.fixture(scope="module")
def model(tiny_clip_artifact: Path) -> Iterator[tuple[Encoder, PictureDecoder]]:
    encoder = open_encoder(tiny_clip_artifact, Settings())
    with PictureDecoder.of(Settings(), encoder.manifest.preprocessing, processes=1) as decoder:
        yield encoder, decoder


@pytest.fixture
def embedder(
    redis: Redis,
    broker: Celery,
    ledger: Ledger,
    client: EdgeClient,
    model: tuple[Encoder, PictureDecoder],
    tmp_path: Path,
) -> Iterator[Embedder]:
    encoder, decoder = model
    manifest = encoder.manifest
    client.ensure_collection(CollectionSpec(COLLECTION, manifest.space, manifest.dimension, INDEXED_FIELDS))
    media = FolderMediaStore(tmp_path / "media")
    yield Embedder(redis, broker, ledger, client, encoder, decoder, tmp_path, media)
    client.drop_collection(COLLECTION)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


_times = iter(range(1_700_000_000_000_000_001, 1_800_000_000_000_000_000, 1_000_000_007))


def picture(number: int) -> bytes:
    """A file that holds a picture of its own, of the same size in bytes as every other."""
    colours = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    with tempfile.SpooledTemporaryFile() as file:
        Image.fromarray(colours).save(file, "BMP")
        file.seek(0)
        return file.read()


def write(file: Path, number: int) -> None:
    """Put a picture into a file, which was last changed at a time of its own, long ago."""
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(picture(number))
    touch(file)


def touch(file: Path, whole_seconds: float | None = None) -> None:
    moment = next(_times) if whole_seconds is None else int(whole_seconds) * 1_000_000_000
    os.utime(file, ns=(moment, moment))


def fill(folder: Path, numbers: Sequence[int]) -> None:
    for number in numbers:
        write(folder / f"{number}.bmp", number)


def id_of(number: int) -> str:
    return point_id(sha256_of(picture(number)))


def counts(job: Job) -> tuple[int, int, int, int]:
    return job.counts.total, job.counts.indexed, job.counts.unchanged, job.counts.failed


def test_a_second_sync_reads_nothing(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(20))
    first = embedder.run(folder)
    assert (first.state, counts(first)) == (JobState.SUCCEEDED, (20, 20, 0, 0))
    assert len(embedder.opened) == 20

    second = embedder.run(folder)
    assert (second.state, counts(second)) == (JobState.SUCCEEDED, (20, 0, 20, 0))
    assert embedder.opened == []
    assert embedder.sources() == {id_of(number): {f"{number}.bmp"} for number in range(20)}


def test_add_change_touch_rename_and_delete(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(10))
    embedder.run(folder)
    embedder.index.set_payload(COLLECTION, id_of(2), {"tags": ["mine"]})

    write(folder / "1.bmp", 101)
    (folder / "2.bmp").rename(folder / "renamed.bmp")
    (folder / "3.bmp").unlink()
    touch(folder / "4.bmp")
    write(folder / "new.bmp", 102)
    job = embedder.run(folder)

    assert sorted(embedder.opened) == ["1.bmp", "4.bmp", "new.bmp", "renamed.bmp"]
    assert counts(job) == (10, 2, 8, 0)
    expected = {id_of(number): {f"{number}.bmp"} for number in (0, 4, 5, 6, 7, 8, 9)}
    expected |= {id_of(101): {"1.bmp"}, id_of(2): {"renamed.bmp"}, id_of(102): {"new.bmp"}}
    assert embedder.sources() == expected
    assert embedder.points()[id_of(2)].payload.tags == ("mine",)
    embedder.media.read_thumbnail(COLLECTION, id_of(2))
    for number in (1, 3):
        with pytest.raises(MediaNotFound):
            embedder.media.read_thumbnail(COLLECTION, id_of(number))

    embedder.run(folder)
    assert embedder.opened == []
    assert embedder.sources() == expected


def test_files_that_take_each_others_names_keep_their_points(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(10))
    embedder.run(folder)
    before = embedder.points()

    (folder / "9.bmp").unlink()
    for number in range(8, -1, -1):
        (folder / f"{number}.bmp").rename(folder / f"{number + 1}.bmp")
    job = embedder.run(folder)

    assert counts(job) == (9, 0, 9, 0)
    assert embedder.sources() == {id_of(number): {f"{number + 1}.bmp"} for number in range(9)}
    after = embedder.points()
    assert all(after[one].payload.indexed_at == before[one].payload.indexed_at for one in after)


def test_a_point_stays_while_it_has_another_source(embedder: Embedder, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(folder / "a.bmp", 1)
    write(folder / "copy.bmp", 1)
    write(folder / "b.bmp", 2)
    write(other / "b-too.bmp", 2)
    embedder.run(folder)
    embedder.run(other)

    (folder / "copy.bmp").unlink()
    (folder / "b.bmp").unlink()
    embedder.run(folder)
    assert embedder.sources() == {id_of(1): {"a.bmp"}, id_of(2): {"b-too.bmp"}}
    embedder.run(other)
    assert embedder.opened == []

    (other / "b-too.bmp").rename(other / "b-again.bmp")
    embedder.run(other)
    assert embedder.sources() == {id_of(1): {"a.bmp"}, id_of(2): {"b-again.bmp"}}


def test_whole_subfolders_may_move_and_go(embedder: Embedder, folder: Path) -> None:
    for number in range(8):
        write(folder / ("old" if number < 5 else "gone") / f"{number}.bmp", number)
    write(folder / "top.bmp", 20)
    embedder.run(folder)

    (folder / "old").rename(folder / "new")
    for file in (folder / "gone").iterdir():
        file.unlink()
    (folder / "gone").rmdir()
    job = embedder.run(folder)

    assert counts(job) == (6, 0, 6, 0)
    uris = {
        source.uri
        for point in embedder.points().values()
        for source in point.payload.sources.values()
    }  # fmt: skip
    assert uris == {file.as_uri() for file in folder.rglob("*.bmp")}
    assert len(embedder.points()) == 6


def test_what_failed_is_tried_again(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    (folder / "1.bmp").write_bytes(b"no picture")
    touch(folder / "1.bmp")
    for _ in range(2):
        job = embedder.run(folder)
        assert (embedder.opened, counts(job)) == (["1.bmp"], (4, 0, 3, 1))
        # The picture that was there is not there any more.
        assert embedder.sources() == {id_of(number): {f"{number}.bmp"} for number in (0, 2, 3)}

    write(folder / "1.bmp", 1)
    assert counts(embedder.run(folder)) == (4, 1, 3, 0)
    (folder / "1.bmp").write_bytes(b"")
    (folder / "1.bmp").unlink()
    embedder.run(folder)
    assert set(embedder.sources()) == {id_of(number) for number in (0, 2, 3)}


def test_a_file_that_changed_just_before_it_was_read_is_read_again(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(2))
    with embedder.before_reading("0.bmp", lambda: touch(folder / "0.bmp", whole_seconds=time.time())):
        embedder.run(folder)
    embedder.run(folder)
    assert embedder.opened == ["0.bmp"]

    touch(folder / "0.bmp")
    embedder.run(folder)
    embedder.run(folder)
    assert embedder.opened == []


def test_an_empty_folder_is_taken_for_a_disk_that_is_not_mounted(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(5))
    embedder.run(folder)
    before = embedder.sources()
    away = folder.rename(folder.with_name("unmounted"))
    folder.mkdir()

    job = embedder.run(folder)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "folder_empty"
    assert "5 of its pictures" in job.error.detail
    folder.rmdir()
    gone = embedder.run(folder)
    assert (gone.error.code if gone.error else None) == "folder_unreadable"
    assert embedder.sources() == before

    away.rename(folder)
    assert counts(embedder.run(folder)) == (5, 0, 5, 0)
    assert embedder.opened == []
    assert embedder.sources() == before


def test_an_empty_folder_that_never_held_anything_is_no_fault(embedder: Embedder, folder: Path) -> None:
    assert embedder.run(folder).state is JobState.SUCCEEDED


def test_what_cannot_be_seen_is_not_deleted(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(3))
    write(folder / "below" / "a.bmp", 10)
    embedder.run(folder)
    before = embedder.sources()
    away = (folder / "below").rename(folder.with_name("away"))
    (folder / "below").symlink_to(folder / "below")

    embedder.run(folder)
    assert embedder.sources() == before
    (folder / "below").unlink()
    away.rename(folder / "below")
    embedder.run(folder)
    assert (embedder.opened, embedder.sources()) == ([], before)


def test_without_its_state_a_sync_reads_all_and_encodes_nothing(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(9))
    embedder.run(folder)
    before = embedder.points()
    embedder.redis.flushall()
    (folder / "3.bmp").unlink()
    (folder / "4.bmp").rename(folder / "renamed.bmp")

    job = embedder.run(folder)
    assert counts(job) == (8, 0, 8, 0)
    assert len(embedder.opened) == 8
    after = embedder.points()
    assert after.keys() == before.keys() - {id_of(3)}
    assert all(after[one].payload.indexed_at == before[one].payload.indexed_at for one in after)
    assert embedder.sources()[id_of(4)] == {"renamed.bmp"}
    embedder.run(folder)
    assert embedder.opened == []


def test_a_first_sync_takes_over_what_was_indexed_before(
    embedder: Embedder, folder: Path, tmp_path: Path
) -> None:
    fill(folder, range(5))
    write(tmp_path / "photos2" / "50.bmp", 50)
    embedder.run(tmp_path / "photos2", sync=False)
    embedder.run(folder, sync=False)
    write(folder / "1.bmp", 101)
    embedder.run(folder, sync=False)
    assert embedder.sources()[id_of(1)] == embedder.sources()[id_of(101)] == {"1.bmp"}
    (folder / "2.bmp").unlink()
    (tmp_path / "photos2" / "50.bmp").unlink()

    embedder.run(folder)
    assert embedder.sources() == {
        id_of(0): {"0.bmp"},
        id_of(101): {"1.bmp"},
        id_of(3): {"3.bmp"},
        id_of(4): {"4.bmp"},
        id_of(50): {"50.bmp"},
    }


def test_a_sync_puts_right_what_other_jobs_did_since_the_last(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    write(folder / "1.bmp", 101)
    write(folder / "new.bmp", 102)
    write(folder / "stays.bmp", 103)
    embedder.run(folder, sync=False)
    write(folder / "1.bmp", 104)
    (folder / "new.bmp").unlink()
    assert embedder.sources()[id_of(101)] == {"1.bmp"}

    embedder.run(folder)
    expected = {id_of(number): {f"{number}.bmp"} for number in (0, 2, 3)}
    assert embedder.sources() == expected | {id_of(104): {"1.bmp"}, id_of(103): {"stays.bmp"}}
    embedder.run(folder)
    assert embedder.opened == []


def test_a_point_that_somebody_deleted_comes_back(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    Deletions(embedder.redis, timedelta(days=1)).record(COLLECTION, [id_of(1)])
    embedder.index.delete(COLLECTION, [id_of(1)])

    assert counts(embedder.run(folder)) == (4, 1, 3, 0)
    assert embedder.opened == ["1.bmp"]
    assert embedder.sources() == {id_of(number): {f"{number}.bmp"} for number in range(4)}


def test_other_jobs_change_nothing_in_the_state(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder, sync=False)
    assert list(embedder.redis.scan_iter("sightline:sync:*")) == []


class Interfering:
    """An index in which something happens just before a call."""

    def __init__(self, index: VectorIndex, call: str, happening: Any) -> None:
        self._index = index
        self._call = call
        self._happening = happening

    def __getattr__(self, name: str) -> Any:
        if name == self._call:
            self._happening()
        return getattr(self._index, name)


@pytest.mark.parametrize("call", ["add_sources", "set_payload"])
def test_a_batch_whose_point_goes_meanwhile_runs_again(
    embedder: Embedder, folder: Path, tmp_path: Path, call: str
) -> None:
    write(folder / "a.bmp", 1)
    write(folder / "rest.bmp", 2)
    write(tmp_path / "other" / "b.bmp", 1)
    embedder.run(folder)

    def lose_point() -> None:
        if call == "add_sources":
            (folder / "a.bmp").unlink()
            embedder.run(folder)
        else:
            embedder.index.delete(COLLECTION, [id_of(1)])

    source = FolderSource(path=str(tmp_path / "other"))
    request = JobRequest(collection=COLLECTION, source=source, metadata={"new": 1}, on_duplicate="update")
    job = embedder.ledger.create(request)
    embedder.planner().plan(job.id)
    batch = embedder.ledger.batch(job.id, "0")
    assert batch is not None
    index = cast(VectorIndex, Interfering(embedder.index, call, lose_point))
    with pytest.raises(PointsGone):
        embedder.indexer(index).run(job, batch)

    assert embedder.indexer().run(job, batch).indexed == 1
    assert embedder.sources()[id_of(1)] == {"b.bmp"}


def test_listing_waits_for_its_batches_before_anything_is_removed(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    (folder / "1.bmp").rename(folder / "renamed.bmp")
    job_id = embedder.start(folder, sync=True)
    for _ in range(3):
        embedder.planner().plan(job_id)
        assert embedder.sources()[id_of(1)] == {"1.bmp"}

    (batch_id,) = embedder.ledger.pending_batches(job_id)
    embedder.finish(embedder.ledger.job(job_id), batch_id, embedder.indexer())
    assert embedder.sources()[id_of(1)] == {"1.bmp", "renamed.bmp"}
    embedder.planner().plan(job_id)
    assert embedder.ledger.job(job_id).state is JobState.SUCCEEDED
    assert embedder.sources()[id_of(1)] == {"renamed.bmp"}


def test_pictures_that_leave_one_folder_while_they_come_in_from_another_stay(
    embedder: Embedder, folder: Path, tmp_path: Path
) -> None:
    write(folder / "rest.bmp", 1000)
    with ThreadPoolExecutor(2) as pool:
        for number in range(12):
            numbers = range(4 * number, 4 * number + 4)
            fill(folder, numbers)
            embedder.run(folder)
            for one in numbers:
                (folder / f"{one}.bmp").unlink()
                write(tmp_path / f"{number}" / f"{one}-too.bmp", one)
            leaving = pool.submit(embedder.run, folder)
            coming = pool.submit(embedder.run, tmp_path / f"{number}", sync=False)
            assert leaving.result().state is coming.result().state is JobState.SUCCEEDED

            found = embedder.sources()
            assert {one: found.get(id_of(one)) for one in numbers} == {
                one: {f"{one}-too.bmp"} for one in numbers
            }


class Desk:
    """A folder that somebody works in, and what the index must hold after a sync."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        self.files: dict[str, int] = {}
        self.read: set[str] = set()
        self._next = 0

    def work(self) -> None:
        action = self.chance.choice(["add", "add", "copy", "change", "touch", "rename", "swap", "delete"])
        if action == "add" or len(self.files) < 3:
            self._write(self._name(), self._number())
            return
        one, other = self.chance.sample(sorted(self.files), 2)
        match action:
            case "copy":
                self._write(self._name(), self.files[one])
            case "change":
                self._write(one, self._number())
            case "touch":
                touch(self.folder / one)
                self.read.add(one)
            case "rename":
                self._move(one, self._name())
            case "swap":
                self._move(one, "aside.bmp")
                self._move(other, one)
                self._move("aside.bmp", other)
            case "delete":
                (self.folder / one).unlink()
                self.read.discard(one)
                del self.files[one]

    def expected(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, number in self.files.items():
            found.setdefault(id_of(number), set()).add(Path(name).name)
        return found

    def _name(self) -> str:
        self._next += 1
        odd = self.chance.choice(["", " ", "%20", "ü", os.fsdecode(b"\xff"), "#?"])
        return f"{self.chance.choice('abz')}/{self.chance.randrange(100):02}{odd}{self._next}.bmp"

    def _number(self) -> int:
        # Few pictures, so that some go and come back, and some are in several files.
        return self.chance.randrange(25)

    def _write(self, name: str, number: int) -> None:
        write(self.folder / name, number)
        self.files[name] = number
        self.read.add(name)

    def _move(self, name: str, to: str) -> None:
        (self.folder / to).parent.mkdir(exist_ok=True)
        (self.folder / name).rename(self.folder / to)
        self.files[to] = self.files.pop(name)
        self.read.discard(name)
        self.read.add(to)


def test_two_syncs_of_a_folder_at_once_end_as_one_does(embedder: Embedder, folder: Path) -> None:
    desk = Desk(folder, random.Random(7))
    with ThreadPoolExecutor(2) as pool:
        for _ in range(15):
            for _ in range(6):
                desk.work()
            for job in [pool.submit(embedder.run, folder) for _ in range(2)]:
                assert job.result().state is JobState.SUCCEEDED
            assert embedder.sources() == desk.expected()
    embedder.run(folder)
    assert embedder.opened == []


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
def test_after_any_changes_the_index_is_what_the_folder_is(
    embedder: Embedder, folder: Path, seed: int
) -> None:
    chance = random.Random(seed)
    desk = Desk(folder, chance)
    for _ in range(25):
        before = embedder.points()
        for _ in range(chance.randrange(8)):
            desk.work()
            if chance.random() < 0.1:
                embedder.run(folder, sync=False)

        job = embedder.run(folder, chance=chance)

        assert job.state is JobState.SUCCEEDED
        assert counts(job)[0] == len(desk.files)
        assert job.counts.pending == 0
        assert embedder.sources() == desk.expected()
        assert {Path(name).name for name in desk.read} == set(embedder.opened)
        after = embedder.points()
        kept = before.keys() & after.keys()
        assert all(after[one].payload.indexed_at == before[one].payload.indexed_at for one in kept)
        for one in after:
            embedder.media.read_thumbnail(COLLECTION, one)
        desk.read.clear()
