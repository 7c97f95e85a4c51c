"""The record of migrations: which state may follow which, and what is written to meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from example_migration import example_migration
from redis import Redis

from sightline.errors import FailureReason, MigrationNotFound, MigrationRefused
from sightline.queue.lost_points import Lost
from sightline.queue.migration_records import Migration, MigrationState
from sightline.queue.migrations import Migrations
from sightline.served import VersionsWritten

S = MigrationState
_ALLOWED = {
    S.BUILDING: {S.PAUSED, S.FAILED, S.READY, S.ABORTING},
    S.PAUSED: {S.BUILDING, S.ABORTING},
    S.FAILED: {S.BUILDING, S.ABORTING},
    S.READY: {S.READY, S.SWITCHED, S.ABORTING},
    S.SWITCHED: {S.SWITCHED, S.ROLLED_BACK, S.FINISHING},
    S.ROLLED_BACK: {S.ROLLED_BACK, S.SWITCHED, S.ABORTING},
    S.FINISHING: {S.FINISHING, S.FINISHED},
    S.ABORTING: {S.ABORTING, S.ABORTED},
    S.FINISHED: set(),
    S.ABORTED: set(),
}


@pytest.fixture
def migrations(redis: Redis) -> Migrations:
    return Migrations(redis)


def migration(state: MigrationState = S.BUILDING, collection: str = "images") -> Migration:
    return example_migration(collection=collection, old=f"{collection}.1", new=f"{collection}.2", state=state)


@pytest.mark.parametrize("before", list(S))
@pytest.mark.parametrize("after", list(S))
def test_only_what_may_follow_follows(
    migrations: Migrations, before: MigrationState, after: MigrationState
) -> None:
    held = migrations.start(migration(before))
    if after in _ALLOWED[before]:
        assert migrations.move(held.id, after).state is after
    else:
        with pytest.raises(MigrationRefused) as refused:
            migrations.move(held.id, after)
        assert refused.value.code == ("migration_not_ready" if after is S.SWITCHED else "migration_state")
    assert migrations.get(held.id).state is (after if after in _ALLOWED[before] else before)


def test_of_two_who_want_different_things_one_is_late(migrations: Migrations) -> None:
    for _ in range(20):
        held = migrations.start(migration(S.READY))

        def attempt(to: MigrationState, held: Migration = held) -> bool:
            try:
                migrations.move(held.id, to)
            except MigrationRefused:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(attempt, (S.SWITCHED, S.ABORTING)))
        assert sorted(done) == [False, True]
        migrations.end_with_collection(held.id)


def test_a_collection_has_one_migration_at_a_time(migrations: Migrations) -> None:
    first = migrations.start(migration())
    with pytest.raises(MigrationRefused, match=first.id):
        migrations.start(migration())
    other = migrations.start(migration(collection="others"))
    assert {one.id for one in migrations.active()} == {first.id, other.id}
    migrations.move(first.id, S.ABORTING)
    migrations.move(first.id, S.ABORTED)
    assert migrations.of("images") is None
    assert migrations.start(migration()).id != first.id
    assert len(migrations.all()) == 3


@pytest.mark.parametrize(
    ("state", "written"),
    [
        (S.BUILDING, ("images.1", "images.2")),
        (S.PAUSED, ("images.1", "images.2")),
        (S.FAILED, ("images.1", "images.2")),
        (S.READY, ("images.1", "images.2")),
        (S.SWITCHED, ("images.2", "images.1")),
        (S.ROLLED_BACK, ("images.1", "images.2")),
        (S.ABORTING, ("images.1",)),
        (S.FINISHING, ("images.2",)),
    ],
)
def test_both_versions_are_written_to_until_one_is_on_its_way_out(
    migrations: Migrations, state: MigrationState, written: tuple[str, ...]
) -> None:
    assert tuple(VersionsWritten(migrations)("images")) == ("images",)
    migrations.start(migration(state))
    assert tuple(VersionsWritten(migrations)("images")) == written


def test_a_job_that_was_replaced_says_nothing_any_more(migrations: Migrations) -> None:
    held = migrations.start(migration())
    migrations.set_job(held.id, "new")
    with pytest.raises(MigrationRefused):
        migrations.move(held.id, S.READY, job="old")
    assert migrations.move(held.id, S.READY, job="new").ready_at is not None


def test_one_that_begins_anew_has_its_new_job_at_once_and_nothing_lost(migrations: Migrations) -> None:
    failed = migrations.fail(migrations.set_job(migrations.start(migration()).id, "old"), "why")
    migrations.lost.note(failed.id, {"p": Lost(reason=FailureReason.NOT_FOUND, detail="gone")})

    begun = migrations.begin_anew(failed, "new")

    assert (begun.state, begun.job) == (S.BUILDING, "new")
    assert migrations.get(failed.id) == begun
    assert migrations.lost.among(failed.id, ["p"]) == migrations.lost.by_reason(failed.id) == {}
    with pytest.raises(MigrationRefused):
        migrations.begin_anew(failed, "another")


@pytest.mark.parametrize("state", [one for one in S if not one.final])
def test_only_one_that_is_being_built_takes_a_job(migrations: Migrations, state: MigrationState) -> None:
    held = migrations.start(migration(state))
    if state in (S.BUILDING, S.PAUSED):
        assert migrations.set_job(held.id, "new").job == "new"
        return
    with pytest.raises(MigrationRefused, match="takes a job") as refused:
        migrations.set_job(held.id, "new")
    assert refused.value.code == "migration_state"
    assert migrations.get(held.id) == held


def test_one_that_went_on_since_it_was_seen_has_not_failed(migrations: Migrations) -> None:
    seen = migrations.start(migration(S.BUILDING))
    going_on = migrations.set_job(seen.id, "new")
    assert migrations.fail(seen, "no job") == going_on == migrations.get(seen.id)
    failed = migrations.fail(going_on, "why")
    assert (failed.state, failed.detail) == (S.FAILED, "why")
    assert migrations.get(seen.id) == failed


def test_what_was_lost_is_noted_once_and_forgotten_with_the_migration(migrations: Migrations) -> None:
    held = migrations.start(migration(S.FINISHING))
    gone, broken = (
        Lost(reason=reason, detail="why") for reason in (FailureReason.NOT_FOUND, FailureReason.INTERNAL)
    )
    migrations.lost.note(held.id, {"p": gone, "q": gone})
    migrations.lost.note(held.id, {"q": broken, "r": broken})
    assert migrations.lost.among(held.id, ["r", "none", "q"]) == {"r": broken, "q": gone}
    assert migrations.lost.by_reason(held.id) == {FailureReason.NOT_FOUND: 2, FailureReason.INTERNAL: 1}
    assert sorted(one for page in migrations.lost.ids(held.id) for one in page) == ["p", "q", "r"]
    migrations.lost.take_back(held.id, ["q", "r", "none"])
    migrations.lost.take_back(held.id, ["q"])
    assert migrations.lost.by_reason(held.id) == {FailureReason.NOT_FOUND: 1}
    migrations.move(held.id, S.FINISHED)
    assert migrations.lost.among(held.id, ["p"]) == migrations.lost.by_reason(held.id) == {}


def test_turns_are_taken_one_at_a_time(migrations: Migrations) -> None:
    held = migrations.start(migration())
    with migrations.turn(held.id), pytest.raises(MigrationRefused) as refused, migrations.turn(held.id):
        pass
    assert refused.value.code == "migration_busy"
    with migrations.turn(held.id):
        pass


def test_what_is_not_there_is_said_to_be(migrations: Migrations) -> None:
    for ask in (migrations.get, lambda one: migrations.move(one, S.PAUSED)):
        with pytest.raises(MigrationNotFound):
            ask("none")
