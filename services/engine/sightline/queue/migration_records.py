"""What a migration is: the versions it is between, the states it goes through, and which may follow which."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from sightline.errors import MigrationRefused
from sightline.settings import Precision, Quantization


class MigrationState(StrEnum):
    """The life of a migration; the last two are final."""

    BUILDING = "building"
    PAUSED = "paused"
    FAILED = "failed"
    READY = "ready"
    SWITCHED = "switched"
    ROLLED_BACK = "rolled_back"
    FINISHING = "finishing"
    ABORTING = "aborting"
    FINISHED = "finished"
    ABORTED = "aborted"

    @property
    def final(self) -> bool:
        """Whether it is over, and one of the versions gone."""
        return self in (MigrationState.FINISHED, MigrationState.ABORTED)


_FROM: Mapping[MigrationState, frozenset[MigrationState]] = {
    MigrationState.PAUSED: frozenset({MigrationState.BUILDING}),
    MigrationState.BUILDING: frozenset({MigrationState.PAUSED, MigrationState.FAILED}),
    MigrationState.FAILED: frozenset({MigrationState.BUILDING}),
    MigrationState.READY: frozenset({MigrationState.BUILDING, MigrationState.READY}),
    MigrationState.SWITCHED: frozenset(
        {MigrationState.READY, MigrationState.ROLLED_BACK, MigrationState.SWITCHED}
    ),
    MigrationState.ROLLED_BACK: frozenset({MigrationState.SWITCHED, MigrationState.ROLLED_BACK}),
    MigrationState.FINISHING: frozenset({MigrationState.SWITCHED, MigrationState.FINISHING}),
    MigrationState.FINISHED: frozenset({MigrationState.FINISHING}),
    MigrationState.ABORTING: frozenset(
        {
            MigrationState.BUILDING,
            MigrationState.PAUSED,
            MigrationState.FAILED,
            MigrationState.READY,
            MigrationState.ROLLED_BACK,
            MigrationState.ABORTING,
        }
    ),
    MigrationState.ABORTED: frozenset({MigrationState.ABORTING}),
}
"""The states that each state may follow. A step that a crash cut short may be taken again."""


class Migration(BaseModel):
    """A migration. `old` and `new` are versions of the collection; `model` is a folder of the models' folder.

    `space` and `dimension` are those of the new version's vectors; None of `precision` and `quantization`
    means as the settings say. `job` is the job that fills the new version.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    collection: str
    old: str
    new: str
    model: str
    old_space: str
    space: str
    dimension: int
    precision: Precision | None
    quantization: Quantization | None
    old_precision: Precision | None
    state: MigrationState
    job: str | None = None
    created_at: datetime
    ready_at: datetime | None = None
    switched_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str | None = None
    """Why it failed, or ended so."""

    @property
    def live(self) -> str:
        """The version that the collection stands for."""
        return self.new if self.state in _SERVES_NEW else self.old

    @property
    def same_space(self) -> bool:
        """Whether vectors of both versions may be compared: the model stays, in another form at most."""
        return self.old_space == self.space

    @property
    def twin(self) -> str | None:
        """The version that is written to beside the live one; None when one of them is on its way out."""
        if self.state in _ON_ITS_WAY_OUT or self.state.final:
            return None
        return self.old if self.live == self.new else self.new


_SERVES_NEW = (MigrationState.SWITCHED, MigrationState.FINISHING, MigrationState.FINISHED)
_ON_ITS_WAY_OUT = (MigrationState.FINISHING, MigrationState.ABORTING)


def new_id() -> str:
    """An id for a migration, which names its version of the collection too."""
    return secrets.token_hex(6)


def check_may_follow(held: Migration, to: MigrationState) -> None:
    """Raise MigrationRefused where a state cannot follow the one that a migration is in."""
    if held.state not in _FROM[to]:
        raise refused(held, to)


def times(held: Migration, to: MigrationState) -> dict[str, datetime]:
    """The moments to note with a change of state."""
    now = datetime.now(UTC)
    if to is MigrationState.READY:
        return {"ready_at": now}
    if to is MigrationState.SWITCHED and held.state is not MigrationState.SWITCHED:
        return {"switched_at": now}
    return {"ended_at": now} if to.final else {}


_NEEDED = {
    MigrationState.PAUSED: "only one that is building can be paused",
    MigrationState.BUILDING: "only one that is paused or has failed can be resumed",
    MigrationState.SWITCHED: "only one that is ready, or was rolled back, can be switched to",
    MigrationState.ROLLED_BACK: "only one that was switched to can be rolled back",
    MigrationState.ABORTING: "one that was switched to is rolled back first",
    MigrationState.FINISHING: "only one that was switched to can be finished",
}


def refused(held: Migration, to: MigrationState) -> MigrationRefused:
    """Why a state does not follow the one that a migration is in, as an error to raise."""
    needed = _NEEDED.get(to, "nobody waits for that any more")
    code = "migration_not_ready" if to is MigrationState.SWITCHED else "migration_state"
    return MigrationRefused(code, f"Migration {held.id} is {held.state.replace('_', ' ')}: {needed}.")
