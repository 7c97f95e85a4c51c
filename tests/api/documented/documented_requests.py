"""The requests that an OpenAPI document gives as examples, one by one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

OPAQUE = frozenset({"cursor"})
"""Parameters whose values a client gets from an answer before."""
JSON = "application/json"
FORM = "multipart/form-data"


@dataclass(frozen=True)
class Operation:
    """One operation of the document; `schemas` are the document's components."""

    method: str
    path: str
    described: Mapping[str, Any] = field(repr=False)
    schemas: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def body(self) -> tuple[str, Mapping[str, Any]] | None:
        """The media type of the body, and what is said of it."""
        content = self.described.get("requestBody", {}).get("content", {})
        return next(iter(content.items()), None)

    def body_examples(self) -> list[Any]:
        """Beside the body's schema, or in it."""
        assert self.body is not None
        described = self.body[1]
        named = [example["value"] for example in described.get("examples", {}).values()]
        return named or self.resolved(described["schema"]).get("examples", [])

    def parameters(self, *places: str) -> dict[str, list[Any]]:
        """Examples by name of each parameter in the path or the query that is not opaque."""
        return {
            one["name"]: self.values_of(one["schema"])
            for one in self.described.get("parameters", [])
            if one["in"] in places and one["name"] not in OPAQUE
        }

    def values_of(self, schema: Mapping[str, Any]) -> list[Any]:
        """The examples of a parameter; an enumeration is its own."""
        schema = self.resolved(schema)
        choices: list[Any] = schema.get("examples") or schema.get("enum", [])
        return choices or [value for one in schema.get("anyOf", ()) for value in self.values_of(one)]

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema that a reference names, or the one given."""
        reference = schema.get("$ref")
        return self.schemas[reference.rpartition("/")[2]] if reference else schema


@dataclass(frozen=True)
class ExampleRequest:
    """One request as documented; the n-th has the n-th example of everything, as far as there are so many."""

    operation: Operation
    number: int
    path: Mapping[str, Any]
    query: Mapping[str, Any]
    body: Any

    def __str__(self) -> str:
        return f"{self.operation} {self.number}"

    @classmethod
    def all_of(cls, operation: Operation) -> Iterator[Self]:
        """As many as the most examples that anything of the operation has; one if there is nothing.

        What lacks an example is left out.
        """
        path, query = (
            {name: values for name, values in operation.parameters(place).items() if values}
            for place in ("path", "query")
        )
        bodies = (operation.body_examples() if operation.body else []) or [None]
        for number in range(max(map(len, (*path.values(), *query.values(), bodies)))):
            yield cls(
                operation,
                number,
                {name: values[number % len(values)] for name, values in path.items()},
                {name: values[number % len(values)] for name, values in query.items()},
                bodies[number % len(bodies)],
            )


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation of a document."""
    schemas = document["components"]["schemas"]
    return [
        Operation(method.upper(), path, described, schemas)
        for path, operations in document["paths"].items()
        for method, described in operations.items()
    ]
