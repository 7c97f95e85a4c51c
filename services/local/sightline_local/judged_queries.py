"""Queries and what should be found by them: from a file of JSON lines, or from captioned pictures."""

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.identity import sha256_of_file
from sightline_embedder.models.captioned import captioned_files
from sightline_local.errors import EvaluationError


@dataclass(frozen=True)
class Wanted:
    """A picture that should be found: any of the names it may go by (its id, its sources), and its grade."""

    names: frozenset[str]
    grade: float = 1.0


@dataclass(frozen=True)
class JudgedQuery:
    """A text to search for, and the pictures that it should find."""

    text: str
    wanted: tuple[Wanted, ...]

    def grade_of(self, names: Set[str]) -> float:
        """The grade of a picture that goes by these names; 0 if it is not wanted."""
        return max((one.grade for one in self.wanted if one.names & names), default=0.0)


def read_judged_queries(path: Path) -> list[JudgedQuery]:
    """The queries of a file or a folder; raises EvaluationError with a sentence.

    A file has a JSON object in each line: `query`, and `relevant`, which is a list of ids and sources, or an
    object with a grade above 0 for each. In a folder every caption is a query for the pictures that have it.
    """
    queries = list(_of_folder(path) if path.is_dir() else _of_file(path))
    if not queries:
        raise EvaluationError(
            f"There are no queries in {path}: give a file with lines like "
            f'{{"query": "a cat", "relevant": ["ID"]}}, or a folder with photo.jpg and its caption in '
            f"photo.txt."
        )
    return queries


def _of_folder(folder: Path) -> Iterator[JudgedQuery]:
    by_caption: dict[str, dict[str, set[str]]] = {}
    for one in captioned_files(folder):
        # Files of the same bytes are one picture with several sources.
        names = by_caption.setdefault(one.caption, {}).setdefault(_sha256_of(one.path), set())
        names |= {one.path.resolve().as_uri(), f"upload:{one.path.name}"}
    for caption, pictures in by_caption.items():
        yield JudgedQuery(caption, tuple(Wanted(frozenset(names)) for names in pictures.values()))


def _sha256_of(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror or error}.") from error


def _of_file(path: Path) -> Iterator[JudgedQuery]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _judged(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise EvaluationError(f"Line {number} of {path} is no judged query: {error}.") from error


def _judged(value: Any) -> JudgedQuery:
    relevant = value["relevant"]
    grades = relevant if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)
    if not isinstance(value["query"], str) or not grades:
        raise ValueError("it needs a text in `query` and at least one picture in `relevant`")
    wanted = tuple(Wanted(frozenset({str(name)}), float(grade)) for name, grade in grades.items())
    if min(one.grade for one in wanted) <= 0:
        raise ValueError("grades are above 0")
    return JudgedQuery(value["query"], wanted)
