"""A new version is built by planners and batches that die and are repeated, while others change things."""

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from sightline.encoder.artifact import Manifest, open_artifact
from sightline.encoder.registry import ModelRegistry
from sightline.errors import FailureReason
from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.index.versions import version_of
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS, Payload
from sightline.queue.deletions import Deletions
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import Batch, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migration, Migrations, MigrationState, new_id
from sightline.queue.sources import FolderSource, Item, MigrationSource, SourceKind
from sightline.served import ServedCollections, VersionsWritten
from sightline.settings import Precision, Settings
from sightline.tracing import NO_TRACES
from sightline.writing import PointWriter
from sightline_embedder.batches import BatchFailed, BatchRunner
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.embedding import Destinations, EmbeddingModel
from sightline_embedder.indexing import BatchIndexer
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.migrating.batches import MigrationBatches
from sightline_embedder.migrating.carrying import differs
from sightline_embedder.migrating.originals import OriginalFinder
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.reading import PictureReader
from sightline_embedder.recording import FileRecorder
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.stages import Telemetry
from sightline_embedder.syncing import FolderSync

COLLECTION = "images"


@dataclass(frozen=True)
class Colours:
    """A model: the colours of a picture, projected to as many dimensions as its manifest says."""

    manifest: Manifest
    numerics: str = "colours"

    def encode_views(self, views: Any) -> Any:
        means = views.reshape(len(views), -1, 3).astype(np.float32).mean(axis=1) + 1
        spread = np.random.default_rng(self.manifest.dimension).normal(size=(3, self.manifest.dimension))
        vectors = (means @ spread).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass(frozen=True)
class TwoModels:
    """A registry of two models, by space; in every precision they are the same."""

    models: tuple[EmbeddingModel, ...]

    def get(self, space: str, precision: object = None) -> EmbeddingModel:
        return next(one for one in self.models if one.encoder.manifest.space == space)


@dataclass
class Building:
    """An embedder, driven by hand, and people who use its collection."""

    redis: Redis
    broker: Celery
    ledger: Ledger
    index: VectorIndex
    models: TwoModels
    decoder: PictureDecoder
    photos: Path
    media: FolderMediaStore

    def __post_init__(self) -> None:
        self.settings = Settings(data_dir=self.photos.parent / "data", import_roots=[self.photos])
        self.migrations = Migrations(self.redis)
        self.writer = PointWriter(self.index, VersionsWritten(self.migrations))
        self.telemetry = Telemetry(EmbedderMetrics(), NO_TRACES)
        self.registry = cast("ModelRegistry[EmbeddingModel]", self.models)
        self.remotes = Remotes.of(self.settings)
        self.reader = PictureReader.of(self.settings, self.media, self.remotes)
        self.indexer = self._indexer()
        self.batches = self._batches()
        self.numbers = iter(range(10_000))

    def _indexer(self) -> BatchIndexer:
        return BatchIndexer(
            reader=self.reader,
            decoder=self.decoder,
            destinations=Destinations(self.index, self.registry, self.migrations),
            writer=self.writer,
            index=self.index,
            media=self.media,
            deletions=Deletions(self.redis, timedelta(days=1)),
            recorder=FileRecorder(self.redis),
            telemetry=self.telemetry,
        )

    def _batches(self) -> MigrationBatches:
        return MigrationBatches(
            finder=OriginalFinder(self.reader, self.media),
            decoder=self.decoder,
            models=self.registry,
            index=self.index,
            migrations=self.migrations,
            telemetry=self.telemetry,
        )

    def planner(self) -> Planner:
        return Planner(
            self.ledger,
            self.broker,
            opener=SourceOpener.of(self.settings, self.ledger, self.media, self.remotes),
            sync=FolderSync(self.redis, self.index, self.writer, self.media, batch_pictures=4),
            scan=DuplicateScan(self.index, Duplicates(self.redis, timedelta(days=1))),
            migrations=MigrationPlan(self.index, self.migrations, batch_pictures=4),
            portable=lambda *_: None,
            batch_pictures=4,
            batches_in_flight=2,
        )

    def add(self, *, repeat: bool = False) -> None:
        """Somebody brings a picture in."""
        number = next(self.numbers)
        path = self.photos / f"{number:04}.png"
        colours = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(colours).save(path)
        source = FolderSource(path=str(self.photos))
        job = self.ledger.create(JobRequest(collection=COLLECTION, source=source, tags=(f"tag-{number}",)))
        batch = Batch(id="0", items=(Item(number=0, kind=SourceKind.FOLDER, uri=path.as_uri()),))
        for _ in range(2 if repeat else 1):
            assert not self.indexer.run(job, batch).failures

    def points(self, version: str) -> dict[str, Payload]:
        page = self.index.browse(version, sort="indexed_at", limit=1000, cursor=None, filter=None)
        return {point.id: point.payload for point in page.points}

    def start(self, old: str, precision: Precision | None = None) -> tuple[Migration, str]:
        first, second = (one.encoder.manifest for one in self.models.models)
        migration_id = new_id()
        migration = self.migrations.start(
            Migration(
                id=migration_id,
                collection=COLLECTION,
                old=old,
                new=version_of(COLLECTION, migration_id),
                model="second",
                old_space=first.space,
                space=second.space,
                dimension=second.dimension,
                precision=precision,
                quantization=None,
                old_precision=None,
                state=MigrationState.BUILDING,
                created_at=datetime.now(UTC),
            )
        )
        self.index.ensure_collection(
            CollectionSpec(migration.new, second.space, second.dimension, INDEXED_FIELDS)
        )
        request = JobRequest(collection=COLLECTION, source=MigrationSource(migration=migration_id))
        job = self.ledger.create(request)
        return self.migrations.set_job(migration_id, job.id), job.id


@pytest.fixture(scope="module")
def index() -> Iterator[VectorIndex]:
    with running_index() as client:
        yield client


@pytest.fixture(scope="module")
def models(tiny_clip_artifact: Path) -> TwoModels:
    manifest = open_artifact(tiny_clip_artifact).manifest
    other = manifest.preprocessing.model_copy(update={"size": 32})
    changed = {"space": "second@0123456789abcdef", "name": "second", "dimension": 8, "preprocessing": other}
    made = (manifest, manifest.model_copy(update=changed))
    return TwoModels(tuple(EmbeddingModel(cast(Encoder, Colours(one)), None) for one in made))


@pytest.fixture(scope="module")
def decoder(models: TwoModels) -> Iterator[PictureDecoder]:
    with PictureDecoder.of(Settings(), models.models[0].preprocessing, processes=1) as decoder:
        yield decoder


@pytest.fixture
def building(
    redis: Redis,
    broker: Celery,
    ledger: Ledger,
    index: VectorIndex,
    models: TwoModels,
    decoder: PictureDecoder,
    tmp_path: Path,
) -> Iterator[Building]:
    (tmp_path / "photos").mkdir()
    first = models.models[0].encoder.manifest
    index.ensure_collection(CollectionSpec(COLLECTION, first.space, first.dimension, INDEXED_FIELDS))
    media = FolderMediaStore(tmp_path / "media")
    made = Building(redis, broker, ledger, index, models, decoder, tmp_path / "photos", media)
    yield made
    for migration in made.migrations.active():
        index.drop_collection(migration.new)
    index.drop_collection(COLLECTION)


def finish(
    building: Building, migration: Migration, job_id: str, chance: random.Random | None = None
) -> None:
    """Have the job done; with `chance` planners and batches die on the way, and people do things."""
    planner = building.planner()
    for _ in range(500):
        planner.plan(job_id)
        if building.ledger.job(job_id).state.final:
            return
        for batch_id in building.ledger.pending_batches(job_id):
            claim = building.ledger.claim(job_id, batch_id)
            assert claim is not None
            source = MigrationSource(migration=migration.id)
            outcome = building.batches.run(building.ledger.job(job_id), source, claim.batch)
            if chance is None or chance.random() < 0.7:
                building.ledger.set_outcome(job_id, batch_id, outcome)
        if chance is not None:
            planner = building.planner() if chance.random() < 0.5 else planner
            if building.migrations.get(migration.id).state is MigrationState.BUILDING:
                _meddle(building, migration, chance)
    raise AssertionError("the migration does not end")


def _meddle(building: Building, migration: Migration, chance: random.Random) -> None:
    """What people do, or a writer who has not heard of the migration and changes the live version alone."""
    ids = sorted(building.points(migration.old))
    if len(ids) > 60 or chance.random() < 0.3:
        return  # It has to end some time.
    one = chance.choice(ids)
    match chance.randrange(6):
        case 0:
            building.add(repeat=chance.random() < 0.5)
        case 1:
            building.writer.set_payload(COLLECTION, one, {"tags": [f"{chance.random()}"]})
        case 2:
            building.writer.delete(COLLECTION, [one])
        case 3:
            building.index.set_payload(migration.old, one, {"metadata": {"a": chance.random()}})
        case 4:
            building.index.delete(migration.old, [one])
        case _:
            building.index.delete(migration.new, [one])


@pytest.mark.parametrize("seed", range(4))
def test_both_versions_say_the_same_in_the_end(building: Building, seed: int) -> None:
    for _ in range(20):
        building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    finish(building, migration, job_id, random.Random(seed))

    assert building.migrations.get(migration.id).state is MigrationState.READY
    old, new = building.points(migration.old), building.points(migration.new)
    assert old.keys() == new.keys()
    assert [one for one in old if differs(old[one], new[one])] == []
    assert {one.space for one in new.values()} == {migration.space}
    assert all(old[one].first_indexed == new[one].first_indexed for one in old)


def test_pictures_go_into_both_versions_after_it_is_ready(building: Building) -> None:
    building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    finish(building, migration, job_id)
    building.add(repeat=True)
    assert building.points(migration.old).keys() == building.points(migration.new).keys()
    building.migrations.move(migration.id, MigrationState.SWITCHED)
    building.index.switch(COLLECTION, migration.new)
    building.add(repeat=True)
    assert len(building.points(migration.old)) == len(building.points(migration.new)) == 3
    building.index.switch(COLLECTION, migration.old)


def test_a_picture_that_one_version_missed_is_made_up_for(building: Building) -> None:
    """An embedder died between its two inserts: its batch is run again."""
    building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    finish(building, migration, job_id)
    building.index.delete(migration.new, list(building.points(migration.new)))
    building.numbers = iter(range(10_000))
    building.add()
    (held,) = building.points(migration.new).values()
    assert (held.space, held.tags) == (migration.space, ("tag-0",))


def test_without_an_original_the_thumbnail_is_encoded_and_without_that_nothing(building: Building) -> None:
    for _ in range(3):
        building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    by_name = {
        Path(next(iter(one.sources.values())).uri).name: point_id
        for point_id, one in building.points(migration.old).items()
    }
    (building.photos / "0001.png").unlink()
    (building.photos / "0002.png").unlink()
    building.media.delete_thumbnail(COLLECTION, by_name["0002.png"])
    finish(building, migration, job_id)

    new = building.points(migration.new)
    assert {point_id: one.encoded_from for point_id, one in new.items()} == {
        by_name["0000.png"]: None,
        by_name["0001.png"]: "thumbnail",
    }
    lost = building.migrations.lost(migration.id)
    assert {point_id: one.reason for point_id, one in lost.items()} == {
        by_name["0002.png"]: FailureReason.NOT_FOUND
    }
    assert building.ledger.job(job_id).failures_by_reason == {FailureReason.NOT_FOUND: 1}
    assert building.migrations.get(migration.id).state is MigrationState.READY


def test_one_that_is_paused_plans_nothing(building: Building) -> None:
    for _ in range(20):
        building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    building.migrations.move(migration.id, MigrationState.PAUSED)
    building.planner().plan(job_id)
    assert building.ledger.job(job_id).counts.total == 0
    building.migrations.move(migration.id, MigrationState.BUILDING)
    finish(building, migration, job_id)
    assert len(building.points(migration.new)) == 20


def test_vectors_that_would_be_the_same_are_copied(building: Building, models: TwoModels) -> None:
    building.add()
    live = building.index.collection(COLLECTION).version
    first = models.models[0].encoder.manifest
    building.models = replace(models, models=(models.models[0], models.models[0]))
    (building.photos / "0000.png").unlink()
    migration, job_id = building.start(live)
    assert migration.space == first.space
    finish(building, migration, job_id)
    (held,) = building.points(migration.new).values()
    assert held.encoded_from is None, "nothing had to be read"


@pytest.fixture
def one_model(building: Building, models: TwoModels) -> Building:
    """Migrations lead to the same model; of the picture there is no file any more, but a thumbnail."""
    building.add()
    building.models = replace(models, models=(models.models[0], models.models[0]))
    (building.photos / "0000.png").unlink()
    return building


def give_vector(building: Building, version: str, **said: Any) -> Any:
    """Have the one point of a version hold a vector that no model here makes, and give it."""
    ((point_id, payload),) = building.points(version).items()
    vector = np.eye(len(building.index.sample(version, 1)[0]), dtype=np.float32)[0]
    building.index.delete(version, [point_id])
    building.index.insert(version, [Point(point_id, vector, payload.model_copy(update=said))])
    return vector


@pytest.mark.parametrize("said", [{"numerics": "clip-retrieval"}, {"encoded_from": "thumbnail"}], ids=str)
@pytest.mark.parametrize("precision", [None, Precision.F32], ids=str)
def test_a_vector_of_the_same_model_is_never_given_up_for_less(
    one_model: Building, said: dict[str, str], precision: Precision | None
) -> None:
    live = one_model.index.collection(COLLECTION).version
    vector = give_vector(one_model, live, **said)
    migration, job_id = one_model.start(live, precision)
    finish(one_model, migration, job_id)
    (held,) = one_model.index.scroll(migration.new, after=None, limit=2)
    assert np.array_equal(held.vector, vector)
    assert one_model.points(migration.new) == one_model.points(live)
    assert one_model.migrations.lost(migration.id) == {}


def test_with_the_precision_alone_pictures_are_encoded_again_from_their_originals(
    building: Building, models: TwoModels
) -> None:
    building.add()
    building.models = replace(models, models=(models.models[0], models.models[0]))
    live = building.index.collection(COLLECTION).version
    vector = give_vector(building, live, numerics="other")
    migration, job_id = building.start(live, Precision.F32)
    finish(building, migration, job_id)
    (held,) = building.index.scroll(migration.new, after=None, limit=2)
    assert held.payload.numerics == "colours"
    assert not np.array_equal(held.vector, vector)


class Poisoned:
    """Decodes nothing: each picture is the end of it."""

    def submit(self, *_: object) -> None:
        raise ZeroDivisionError("a defect")


def finish_by_messages(building: Building, job_id: str) -> None:
    """Have the job done as an embedder does, whose decoder fails by a defect."""
    building.decoder = cast(PictureDecoder, Poisoned())
    runner = BatchRunner(
        building.ledger,
        building.broker,
        building.indexer,
        building._batches(),
        ServedCollections(building.index, building.registry),
        CollectionSpec(COLLECTION, "", 0, {}),
        building.media,
        0,
        building.telemetry,
    )
    for _ in range(60):
        building.planner().plan(job_id)
        if building.ledger.job(job_id).state.final:
            return
        for batch_id in building.ledger.pending_batches(job_id):
            with suppress(BatchFailed):
                runner.run(job_id, batch_id)
    raise AssertionError("the migration does not end")


def test_a_picture_that_fails_every_batch_is_lost_and_the_migration_ends(building: Building) -> None:
    for _ in range(2):
        building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    finish_by_messages(building, job_id)
    assert building.migrations.get(migration.id).state is MigrationState.READY
    lost = building.migrations.lost(migration.id)
    assert lost.keys() == building.points(migration.old).keys()
    assert {(one.reason, "a defect" in one.detail) for one in lost.values()} == {
        (FailureReason.INTERNAL, True)
    }
    assert building.ledger.job(job_id).failures_by_reason == {FailureReason.INTERNAL: 2}


def test_a_picture_that_fails_every_batch_keeps_its_vector_of_the_same_model(
    building: Building, models: TwoModels
) -> None:
    building.add()
    building.models = replace(models, models=(models.models[0], models.models[0]))
    live = building.index.collection(COLLECTION).version
    vector = give_vector(building, live, numerics="other")
    migration, job_id = building.start(live, Precision.F32)
    finish_by_messages(building, job_id)
    (held,) = building.index.scroll(migration.new, after=None, limit=2)
    assert np.array_equal(held.vector, vector)
    assert building.migrations.get(migration.id).state is MigrationState.READY
