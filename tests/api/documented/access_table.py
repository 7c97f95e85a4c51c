"""Every route of an application, and what it answers to whom: the table of docs/keys.md.

python tests/api/documented/access_table.py     prints it
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from documented_requests import JSON, Operation, operations_of
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from sightline.queue.keys import Scope
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.access import GuardedRoute, Requires, is_public, required_of

CALLERS = ("no key", "read", "write", "admin", "another collection's")
"""Each with its key; the last one's has the scope write and is limited to a collection of its own."""
OPEN = "✓"


@dataclass(frozen=True)
class Row:
    """One method of one route; `required` is None where it is public.

    `narrowed`: a request to it is about one collection, or one job.
    """

    method: str
    path: str
    required: Requires | None
    narrowed: bool

    def cell(self, caller: str) -> str:
        """What the caller meets: OPEN, or a status."""
        if self.required is None:
            return OPEN
        if caller == "no key":
            return "401"
        limited = caller == CALLERS[-1]
        if not Scope.WRITE.covers(self.required.scope) if limited else not self._covered(caller):
            return "403"
        if limited and self.required.unlimited:
            return "403"
        return "404" if limited and self.narrowed else OPEN

    def _covered(self, caller: str) -> bool:
        assert self.required is not None
        return Scope(caller).covers(self.required.scope)


def routes_of(app: FastAPI) -> Iterator[BaseRoute]:
    """Every route, those of included routers too."""
    for context in iter_route_contexts(app.routes):
        yield context.original_route


def undeclared(app: FastAPI) -> list[str]:
    """Paths of the routes that do not say whom they serve, or do not see to it."""
    return [
        getattr(route, "path", str(route))
        for route in routes_of(app)
        if not (isinstance(route, APIRoute) and (is_public(route) or _is_guarded(route)))
    ]


def rows(app: FastAPI) -> list[Row]:
    """The table of an application whose routes all say whom they serve."""
    described = {(one.method, one.path): one for one in operations_of(app.openapi())}
    return [
        Row(
            method,
            route.path_format,
            required_of(route),
            _is_narrowed(described.get((method, route.path_format))),
        )
        for route in routes_of(app)
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]


def markdown(app: FastAPI) -> str:
    """The table as the documentation has it."""
    lines = [f"| | {' | '.join(CALLERS)} |", f"|---{'|---' * len(CALLERS)}|"]
    for row in sorted(rows(app), key=lambda row: (row.path, row.method)):
        cells = " | ".join(row.cell(caller) for caller in CALLERS)
        lines.append(f"| `{row.method} {row.path}` | {cells} |")
    return "\n".join(lines) + "\n"


def _is_guarded(route: APIRoute) -> bool:
    return isinstance(route, GuardedRoute) and required_of(route) is not None


def _is_narrowed(operation: Operation | None) -> bool:
    if operation is None:
        return False
    named = {one["name"] for one in operation.described.get("parameters", [])}
    if operation.body and operation.body[0] == JSON:
        named |= set(operation.resolved(operation.body[1]["schema"]).get("properties", {})) & {"collection"}
    return bool(named & {"collection", "job_id", "name"})


if __name__ == "__main__":
    sys.stdout.write(markdown(create_app(Settings())))
