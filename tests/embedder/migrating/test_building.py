"""A new version is built by planners and batches that die and are repeated, while others change things."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from migrating_by_hand import COLLECTION, Building, TwoModels, finish

from sightline.errors import FailureReason
from sightline.queue.migration_records import MigrationState
from sightline.queue.sources import MigrationSource
from sightline_embedder.migrating.carrying import differs
from sightline_embedder.migrating.plan import MigrationPlan


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
    lost = building.migrations.lost.among(migration.id, list(by_name.values()))
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


def test_one_that_is_paused_as_planning_begins_is_not_over(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    look = MigrationPlan.is_held_up

    def paused_after_the_look(plan: MigrationPlan, source: MigrationSource) -> bool:
        held_up = look(plan, source)
        building.migrations.move(migration.id, MigrationState.PAUSED)
        return held_up

    with monkeypatch.context() as patched:
        patched.setattr(MigrationPlan, "is_held_up", paused_after_the_look)
        building.planner().plan(job_id)
    assert not building.ledger.job(job_id).state.final
    building.migrations.move(migration.id, MigrationState.BUILDING)
    finish(building, migration, job_id)
    assert building.migrations.get(migration.id).state is MigrationState.READY


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
