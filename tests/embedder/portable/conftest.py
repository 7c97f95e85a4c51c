"""Exports and imports over a real index, Redis and queue, planned as an embedder plans them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from celery import Celery
from importing_by_hand import POINTS
from redis import Redis
from running_index import running_index

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.identity import point_id, source_key
from sightline.index import Point
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS, FirstIndexed, GeoPoint, Payload, Source
from sightline.portable.places import PortablePlaces
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import Failure, Job, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import ExportTarget, JobSource
from sightline.served import VersionsWritten
from sightline.settings import Settings
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.portable.exporting import CollectionExport
from sightline_embedder.portable.importing import PointsImport
from sightline_embedder.portable.intents import ImportIntents
from sightline_embedder.portable.jobs import PortableJobs
from sightline_embedder.portable.opening import PointsOpener
from sightline_embedder.reading import PictureReader
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.syncing import FolderSync

DAY = timedelta(days=1)
LEASE_S = 30.0
NOON = datetime(2024, 5, 31, 12, 30, 15, 123456, UTC)
WEBP = b"RIFF\x1e\x00\x00\x00WEBP a thumbnail of "


@pytest.fixture(scope="session")
def encoder(tiny_clip_artifact: Path) -> Encoder:
    return OpenVinoEncoder(open_artifact(tiny_clip_artifact), threads=1)


@pytest.fixture(scope="session")
def decoder(encoder: Encoder) -> Iterator[PictureDecoder]:
    with PictureDecoder.of(Settings(), encoder.manifest.preprocessing, processes=1) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def index() -> Iterator[EdgeClient]:
    with running_index() as client:
        yield client


@dataclass
class Desk:
    """An embedder's parts for exports and imports; `root` is the import root and the export root."""

    root: Path
    data: Path
    index: EdgeClient
    redis: Redis
    ledger: Ledger
    broker: Celery
    encoder: Encoder
    decoder: PictureDecoder
    points_per_file: int = 100
    made: set[str] = field(default_factory=set)

    @property
    def media(self) -> FolderMediaStore:
        return FolderMediaStore(self.data / "media")

    @property
    def places(self) -> PortablePlaces:
        return PortablePlaces(self.data)

    @property
    def migrations(self) -> Migrations:
        return Migrations(self.redis)

    @property
    def deletions(self) -> Deletions:
        return Deletions(self.redis, DAY)

    def jobs(self, index: Any = None, ledger: Any = None) -> PortableJobs:
        index, ledger = index or self.index, ledger or self.ledger
        settings = Settings(data_dir=self.data, import_roots=[self.root])
        opener = PointsOpener(
            index=index,
            encoder_of=lambda _: self.encoder,
            decoder=self.decoder,
            reader=PictureReader.of(settings, self.media, Remotes.of(settings)),
            places=self.places,
            import_roots=[self.root],
            metadata_fields={},
        )
        export = CollectionExport(
            index,
            self.media,
            ledger,
            self.places,
            roots=[self.root],
            min_free_bytes=0,
            points_per_file=self.points_per_file,
        )
        imports = PointsImport(
            index,
            self.media,
            ledger,
            self.deletions,
            ImportIntents(self.redis, DAY),
            self.migrations,
            PointWriter(index, VersionsWritten(self.migrations)),
            self.places,
            opener.open,
            min_free_bytes=0,
        )
        return PortableJobs(export, imports)

    def planner(self, ledger: Any = None, jobs: PortableJobs | None = None) -> Planner:
        settings = Settings(data_dir=self.data, import_roots=[self.root])
        return Planner(
            ledger or self.ledger,
            self.broker,
            PlanningLeases(self.redis, LEASE_S),
            opener=SourceOpener.of(settings, self.ledger, self.media, Remotes.of(settings)),
            sync=FolderSync(
                self.redis,
                self.index,
                PointWriter(self.index, VersionsWritten(self.migrations)),
                self.media,
                batch_pictures=4,
            ),
            scan=DuplicateScan(self.index, Duplicates(self.redis, DAY)),
            migrations=MigrationPlan(self.index, self.migrations, batch_pictures=4),
            portable=(jobs or self.jobs()).steps,
            batch_pictures=4,
            batches_in_flight=2,
            planning_s=600.0,
        )

    def start(self, collection: str, source: JobSource) -> Job:
        self.made.add(collection)
        return self.ledger.create(JobRequest(collection=collection, source=source))

    def run(self, collection: str, source: JobSource) -> Job:
        """The job once it has ended."""
        job = self.start(collection, source)
        self.planner().plan(job.id)
        return self.ledger.job(job.id)

    def failures(self, job: Job) -> list[Failure]:
        return list(self.ledger.failures(job.id, reason=None))

    def points(self, collection: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        after = None
        while page := self.index.scroll(collection, after=after, limit=500):
            found |= {one.id: one for one in page}
            after = page[-1].id
        return found

    def fill(self, collection: str, points: list[Point], fields: Any) -> None:
        from sightline.index import CollectionSpec

        self.made.add(collection)
        manifest = self.encoder.manifest
        self.index.ensure_collection(CollectionSpec(collection, manifest.space, manifest.dimension, fields))
        self.index.insert(collection, points)
        for point in points[::2]:
            self.media.put_thumbnail(collection, point.id, WEBP + point.id.encode())


@pytest.fixture
def desk(
    tmp_path: Path,
    index: EdgeClient,
    redis: Redis,
    ledger: Ledger,
    broker: Celery,
    encoder: Encoder,
    decoder: PictureDecoder,
) -> Iterator[Desk]:
    root, data = tmp_path / "root", tmp_path / "data"
    root.mkdir()
    data.mkdir()
    desk = Desk(root, data, index, redis, ledger, broker, encoder, decoder)
    yield desk
    for info in index.collections():
        index.drop_collection(info.name)


@pytest.fixture
def make_points(encoder: Encoder) -> Callable[[int], list[Point]]:
    """`make_points(count)`: points with all that a payload can say, and with little."""

    def make(count: int) -> list[Point]:
        chance = np.random.default_rng(5)
        manifest = encoder.manifest
        made = []
        for number in range(count):
            sha256 = f"{number + 1:064x}"
            uri = f"file:///photos/ä {number}.jpg"
            key = source_key(uri)
            full = number % 3 == 0
            payload = Payload(
                sha256=sha256,
                space=manifest.space,
                model=manifest.name,
                numerics="openvino-f32",
                format="jpeg",
                width=400 + number,
                height=300,
                bytes=12_345,
                taken_at=NOON - timedelta(days=number) if full else None,
                camera="Zeiß" if full else None,
                location=GeoPoint(lat=-33.9, lon=18.4) if full else None,
                perceptual_hash=f"{number:064x}" if full else None,
                indexed_at=NOON,
                sort_at=NOON - timedelta(seconds=number),
                tags=("sea", "Ωmega") if full else (),
                auto_tags=("a cat",) if full else (),
                metadata={"shelf": {"row": number}, "price": 1.5} if full else {},
                sources={key: Source(kind="folder", uri=uri, modified_at=NOON)},
                first_indexed=FirstIndexed(job="0" * 24, source=key),
            )
            vector = chance.normal(size=manifest.dimension)
            made.append(
                Point(point_id(sha256), (vector / np.linalg.norm(vector)).astype(np.float32), payload)
            )
        return made

    return make


@pytest.fixture
def export(desk: Any, make_points: Callable[[int], list[Point]]) -> Path:
    """The folder of an export of 12 points."""
    desk.fill("here", make_points(POINTS), INDEXED_FIELDS)
    job = desk.run("here", ExportTarget(path=str(desk.root / "out")))
    assert job.state is JobState.SUCCEEDED
    return desk.root / "out"  # type: ignore[no-any-return]
