"""What comes in beside a migration reaches both versions, also where a batch broke off between the two."""

from pathlib import Path
from typing import Any

import pytest
from migrating_by_hand import COLLECTION, Building, finish, run_batches

from sightline.errors import Unavailable
from sightline.queue.jobs import Batch, JobRequest
from sightline.queue.migration_records import MigrationState
from sightline.queue.sources import FolderSource, Item, SourceKind
from sightline_embedder.migrating.carrying import differs


class Away:
    """An index that is away when a version is to be written."""

    def __init__(self, index: Any, call: str, version: str) -> None:
        self._index, self._call, self._version = index, call, version

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._index, name)

        def unless_away(collection: str, *arguments: Any, **options: Any) -> Any:
            if collection == self._version:
                raise Unavailable("the index", "it is away")
            return method(collection, *arguments, **options)

        return unless_away if name == self._call else method


@pytest.mark.parametrize("switched", [False, True])
def test_a_source_that_one_version_missed_is_made_up_for(building: Building, switched: bool) -> None:
    building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    finish(building, migration, job_id)
    twin = migration.new
    if switched:
        building.migrations.move(migration.id, MigrationState.SWITCHED)
        building.index.switch(COLLECTION, migration.new)
        twin = migration.old
    copy = building.photos / "copy.png"
    copy.write_bytes((building.photos / "0000.png").read_bytes())
    source = FolderSource(path=str(building.photos))
    job = building.ledger.create(JobRequest(collection=COLLECTION, source=source))
    batch = Batch(id="0", items=(Item(number=0, kind=SourceKind.FOLDER, uri=copy.as_uri()),))
    with pytest.raises(Unavailable):
        building.batch_indexer(Away(building.index, "add_sources", twin)).run(job, batch)

    assert building.indexer.run(job, batch).unchanged == 1

    for version in (migration.old, migration.new):
        (held,) = building.points(version).values()
        assert {Path(one.uri).name for one in held.sources.values()} == {"0000.png", "copy.png"}
    building.index.switch(COLLECTION, migration.old)


def test_it_gets_ready_while_pictures_come_in_all_the_time(building: Building) -> None:
    """At every look one of them is in the live version, and not yet in the other."""
    for _ in range(5):
        building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    between_two: Any = Away(building.index, "insert", migration.new)
    ingesting = building.batch_indexer(between_two)
    rounds = 0
    while building.migrations.get(migration.id).state is MigrationState.BUILDING:
        rounds += 1
        assert rounds < 20
        with pytest.raises(Unavailable):
            building.add(ingesting)
        building.planner().plan(job_id)
        run_batches(building, migration, job_id)

    old, new = building.points(migration.old), building.points(migration.new)
    assert len(old) - len(new) <= 1
    building.numbers = iter(range(len(old)))
    for _ in old:
        building.add()  # Its batch has no outcome, and is run again.
    old, new = building.points(migration.old), building.points(migration.new)
    assert old.keys() == new.keys()
    assert [one for one in old if differs(old[one], new[one])] == []


def test_what_was_there_before_is_looked_for_until_nothing_is_missing(building: Building) -> None:
    """Somebody who has not heard of the migration deletes from the new version whatever was made."""
    for _ in range(5):
        building.add()
    migration, job_id = building.start(building.index.collection(COLLECTION).version)
    for _ in range(6):
        building.index.delete(migration.new, list(building.points(migration.new))[:1])
        building.planner().plan(job_id)
        assert building.migrations.get(migration.id).state is MigrationState.BUILDING
        run_batches(building, migration, job_id)

    finish(building, migration, job_id)
    assert len(building.points(migration.new)) == 5
