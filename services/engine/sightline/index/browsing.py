"""Listing in order of time, page by page, with a cursor of constant size.

Engines order by time, but leave points of equal time in no order that a next page could continue.
So a page reads whole groups of equal time, orders each by id, and reads a group that does not fit by
id alone (keyset paging over time and id).
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from sightline.errors import BadRequest
from sightline.index import SortKey
from sightline.index.checks import is_point_id
from sightline.index.clauses import Clause, Every, TimeRange
from sightline.index.filters import Filter, filter_json
from sightline.index.records import PointRecord
from sightline.index.values import moment

_TICK = timedelta(microseconds=1)


class TimeOrdered(Protocol):
    """What an engine can do: read by time (equal times in any order), and read by id."""

    def by_time(self, field: str, *, descending: bool, clause: Clause, limit: int) -> list[PointRecord]:
        """The first `limit` points in order of a time field."""

    def by_id(self, clause: Clause, *, after: str | None, limit: int) -> list[PointRecord]:
        """The first `limit` points in order of their ids, from the one after `after`."""


class _Position(msgspec.Struct, frozen=True, array_like=True):
    """The last point of a page, and a digest of the request that the page answered."""

    request: str
    time: str
    id: str


@dataclass(frozen=True)
class Listing:
    """One request for a listing; its cursors fit no other."""

    collection: str
    sort: SortKey
    filter: Filter | None

    @property
    def field(self) -> str:
        """The payload field that orders the listing."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the newest come first."""
        return self.sort.startswith("-")

    def page(
        self, engine: TimeOrdered, clause: Clause | None, *, limit: int, cursor: str | None
    ) -> tuple[list[PointRecord], str | None]:
        """Read one page; `clause` is what the filter means. Raises BadRequest for a foreign cursor."""
        base = clause or Every()
        if cursor is None:
            found = self._in_order(engine, base, limit + 1)
        else:
            position = self._position(cursor)
            time = moment(position.time)
            found = engine.by_id(self._at(base, time), after=position.id, limit=limit + 1)
            if len(found) <= limit:
                found = found + self._in_order(engine, self._beyond(base, time), limit + 1 - len(found))
        if len(found) <= limit:
            return found, None
        return found[:limit], self._cursor(found[limit - 1])

    def _in_order(self, engine: TimeOrdered, clause: Clause, limit: int) -> list[PointRecord]:
        found = engine.by_time(self.field, descending=self.descending, clause=clause, limit=limit)
        cut: list[PointRecord] = []
        if len(found) == limit:
            last = self._time(found[-1])
            found = [record for record in found if self._time(record) != last]
            cut = engine.by_id(self._at(clause, last), after=None, limit=limit - len(found))
        found.sort(key=lambda record: record.id)
        found.sort(key=self._time, reverse=self.descending)
        return found + cut

    def _at(self, clause: Clause, time: datetime) -> Clause:
        return Every((clause, TimeRange(self.field, time, time)))

    def _beyond(self, clause: Clause, time: datetime) -> Clause:
        if self.descending:
            return Every((clause, TimeRange(self.field, high=time - _TICK)))
        return Every((clause, TimeRange(self.field, low=time + _TICK)))

    def _time(self, record: PointRecord) -> datetime:
        return moment(record.payload[self.field])

    def _cursor(self, last: PointRecord) -> str:
        position = _Position(self._digest(), self._time(last).isoformat(), last.id)
        return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()

    def _position(self, cursor: str) -> _Position:
        try:
            position = msgspec.json.decode(base64.b64decode(cursor, b"-_", validate=True), type=_Position)
            sound = position.request == self._digest() and is_point_id(position.id)
            self._beyond(Every(), moment(position.time))
        except (ValueError, OverflowError):
            sound = False
        if not sound:
            raise BadRequest("The cursor belongs to another listing; start this one without a cursor.")
        return position

    def _digest(self) -> str:
        wanted = b"" if self.filter is None else filter_json(self.filter)
        request = b"\0".join((self.collection.encode(), self.sort.encode(), wanted))
        return hashlib.sha256(request).hexdigest()[:16]
