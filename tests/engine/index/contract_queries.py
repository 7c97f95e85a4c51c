"""What tests of every index ask for."""

from collections.abc import Callable

from sightline.index import Point, SearchQuery

MakePoint = Callable[..., Point]


ABSENT = "00000000-0000-4000-8000-000000000000"


def query(point: Point, limit: int = 10, **options: object) -> SearchQuery:
    return SearchQuery(vector=point.vector, space=point.payload.space, limit=limit, **options)
