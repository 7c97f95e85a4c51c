from pathlib import Path

import pytest

from sightline_local.errors import EvaluationError
from sightline_local.judged_queries import read_judged_queries

NAMES = {"one", "file:///photos/cat.jpg", "upload:cat.jpg"}


def test_lines_name_pictures_by_id_or_source(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text(
        '{"query": "a cat", "relevant": ["one", "two"]}\n\n'
        '{"query": "a pet", "relevant": {"file:///photos/cat.jpg": 3, "two": 0.5}}\n'
        '{"query": "a dog", "relevant": ["two"]}\n'
    )

    cat, pet, dog = read_judged_queries(file)

    assert [query.text for query in (cat, pet, dog)] == ["a cat", "a pet", "a dog"]
    assert [query.grade_of(NAMES) for query in (cat, pet, dog)] == [1.0, 3.0, 0.0]


def test_captions_are_queries_for_the_pictures_that_have_them(tmp_path: Path) -> None:
    for name, caption in {"a.jpg": "a cat", "b.png": "a dog", "c.jpg": "a cat"}.items():
        (tmp_path / name).write_text(name)
        (tmp_path / name).with_suffix(".txt").write_text(caption)

    cat, dog = read_judged_queries(tmp_path)

    assert (cat.text, len(cat.wanted), dog.text) == ("a cat", 2, "a dog")
    names = {"x", (tmp_path / "c.jpg").resolve().as_uri()}
    assert (cat.grade_of(names), dog.grade_of(names)) == (1.0, 0.0)
    assert dog.grade_of({"y", "upload:b.png"}) == 1.0


def test_files_of_the_same_bytes_are_one_picture(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"the same")
        (tmp_path / name).with_suffix(".txt").write_text("a cat")

    [cat] = read_judged_queries(tmp_path)

    assert len(cat.wanted) == 1
    assert [cat.grade_of({f"upload:{name}"}) for name in ("a.jpg", "b.jpg")] == [1.0, 1.0]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"query": "a"}',
        '{"query": 1, "relevant": ["a"]}',
        '{"query": "a", "relevant": []}',
        '{"query": "a", "relevant": {"x": 0}}',
        '{"query": "a", "relevant": {"x": "much"}}',
        '{"query": "a", "relevant": 7}',
    ],
)
def test_what_is_no_judged_query_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text('{"query": "a cat", "relevant": ["one"]}\n' + line)

    with pytest.raises(EvaluationError, match=r"Line 2 of .*queries\.jsonl"):
        read_judged_queries(file)


def test_nothing_to_ask_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    for path in (tmp_path, tmp_path / "empty.jsonl"):
        with pytest.raises(EvaluationError, match="no queries"):
            read_judged_queries(path)
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_judged_queries(tmp_path / "binary.jsonl")
