"""The end of a migration drops what nobody needs, and never what serves, whatever its record says."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from example_migration import example_migration
from qdrant_client import QdrantClient
from redis import Redis

from sightline.ending_migrations import end_migration
from sightline.errors import CollectionNotFound
from sightline.index import CollectionSpec
from sightline.index.server.engine import QdrantServer
from sightline.index.server.index import ServerIndex
from sightline.payload import indexed_fields
from sightline.queue.ledger import Ledger
from sightline.queue.migration_records import Migration, MigrationState
from sightline.queue.migrations import Migrations

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
S = MigrationState
OLD, NEW = "images.1", "images.abc"
SPEC = CollectionSpec("images", "space-a", 4, indexed_fields({}))


@pytest.fixture
def migrations(redis: Redis) -> Migrations:
    return Migrations(redis)


@pytest.fixture
def index() -> ServerIndex:
    index = ServerIndex(QdrantServer(QdrantClient(":memory:")))
    index.ensure_collection(SPEC)
    index.ensure_collection(replace(SPEC, name=NEW, space="space-b"))
    return index


def begin(migrations: Migrations, state: MigrationState) -> Migration:
    changes = {"id": "abc", "old": OLD, "new": NEW, "old_space": "space-a", "space": "space-b"}
    return migrations.start(example_migration(**changes, state=state))


def is_there(index: ServerIndex, version: str) -> bool:
    try:
        index.collection(version)
    except CollectionNotFound:
        return False
    return True


@pytest.mark.parametrize(
    ("state", "kept", "dropped"), [(S.FINISHING, NEW, OLD), (S.ABORTING, OLD, NEW)], ids=str
)
@pytest.mark.parametrize("served", [OLD, NEW])
def test_the_other_version_goes_wherever_a_crash_left_the_switch(
    migrations: Migrations,
    ledger: Ledger,
    index: ServerIndex,
    state: MigrationState,
    kept: str,
    dropped: str,
    served: str,
) -> None:
    index.switch("images", served)
    begin(migrations, state)
    assert end_migration(migrations, ledger, index, "abc")
    assert (index.collection("images").version, is_there(index, dropped)) == (kept, False)
    assert migrations.get("abc").detail is None


@pytest.mark.parametrize(
    ("state", "served", "ended"), [(S.ABORTING, NEW, S.ABORTED), (S.FINISHING, OLD, S.FINISHED)]
)
def test_the_only_version_that_there_is_stays(
    migrations: Migrations,
    ledger: Ledger,
    index: ServerIndex,
    state: MigrationState,
    served: str,
    ended: MigrationState,
) -> None:
    """A restored record is older than the index: it does not know that the migration was over."""
    index.switch("images", served)
    index.drop_collection(OLD if served == NEW else NEW)
    begin(migrations, state)
    assert end_migration(migrations, ledger, index, "abc")
    assert index.collection("images").version == served
    held = migrations.get("abc")
    assert (held.state, migrations.of("images")) == (ended, None)
    assert "Nothing was deleted" in (held.detail or "")


def test_what_was_made_anew_after_the_end_is_left_alone(
    migrations: Migrations, ledger: Ledger, index: ServerIndex
) -> None:
    """A reconciler read the record before the collection was deleted with both versions, and made anew."""
    begin(migrations, S.FINISHING)
    for name in (NEW, "images"):
        index.drop_collection(name)
    migrations.end_with_collection("abc")
    index.ensure_collection(SPEC)
    assert end_migration(migrations, ledger, index, "abc")
    assert index.collection("images").version == OLD
    assert migrations.get("abc").state is S.ABORTED


def test_of_two_who_end_it_both_find_it_ended(
    migrations: Migrations, ledger: Ledger, index: ServerIndex
) -> None:
    begin(migrations, S.ABORTING)
    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(end_migration, migrations, ledger, index, "abc") for _ in range(2)]
        assert [end.result() for end in ends] == [True, True]
    assert (is_there(index, OLD), is_there(index, NEW)) == (True, False)


def test_one_that_nobody_ends_goes_on(migrations: Migrations, ledger: Ledger, index: ServerIndex) -> None:
    begin(migrations, S.READY)
    assert not end_migration(migrations, ledger, index, "abc")
    assert (is_there(index, OLD), is_there(index, NEW)) == (True, True)
