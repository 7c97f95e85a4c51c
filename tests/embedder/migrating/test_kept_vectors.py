"""A migration never gives up a vector for a worse one, and ends whatever a picture does to it."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from migrating_by_hand import COLLECTION, Building, TwoModels, finish

from sightline.decoder import PictureDecoder
from sightline.errors import FailureReason
from sightline.index import CollectionSpec, Point
from sightline.queue.migration_records import MigrationState
from sightline.served import ServedCollections
from sightline.settings import Precision
from sightline_embedder.batches import BatchFailed, BatchRunner


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
    assert one_model.migrations.lost.by_reason(migration.id) == {}


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
    lost = building.migrations.lost.among(migration.id, list(building.points(migration.old)))
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
