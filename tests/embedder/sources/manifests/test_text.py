"""CSV and JSONL: every row has its outcome, whatever is in it, and reading goes on after any of them."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.errors import FailureReason
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.manifests.rows import MAX_ROW_BYTES

CELLS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12)
KEPT_NAMES = ("url", "tags", "price", "stock", "sold", "made", "sku")
ON_FIXTURES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rows_of(listed: Sequence[Listed]) -> Sequence[tuple[Any, ...]]:
    return [(one.ref.uri, one.ref.metadata, one.ref.refused and one.ref.refused.reason) for one in listed]


def check_resuming(listing: Any) -> Sequence[Listed]:
    """Everything listed, once it has been seen that listing can be taken up after any of it."""
    whole = list(listing.list(None))
    for place, one in enumerate(whole):
        assert list(listing.list(one.cursor)) == whole[place + 1 :]
    return whole


@ON_FIXTURES
@given(table=st.lists(st.tuples(CELLS, CELLS), max_size=8), delimiter=st.sampled_from(",;\t"))
def test_csv_cells_come_back_as_they_were_written(
    listing_of: Callable[..., Any], table: Sequence[tuple[str, str]], delimiter: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows(
        [("title", "url", "note"), *((title, f"{n}.jpg", note) for n, (title, note) in enumerate(table))]
    )

    whole = check_resuming(listing_of("a.csv", text.getvalue().encode()))

    expected = [
        {name: cell for name, cell in zip(("title", "note"), row, strict=True) if cell} for row in table
    ]
    assert [one.ref.metadata for one in whole] == expected
    assert [one.ref.uri.rpartition("/")[2] for one in whole] == [f"{n}.jpg" for n in range(len(table))]


@ON_FIXTURES
@given(
    table=st.lists(
        st.dictionaries(
            CELLS.filter(lambda name: name not in KEPT_NAMES),
            st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.floats(allow_nan=False, allow_infinity=False)
            | CELLS
            | st.lists(CELLS, max_size=3),
            max_size=4,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_json_values_come_back_as_they_were_written(
    listing_of: Callable[..., Any], table: Sequence[dict[str, Any]]
) -> None:
    lines = [json.dumps({"url": f"{n}.jpg"} | row) for n, row in enumerate(table)]

    whole = check_resuming(listing_of("a.jsonl", "\n".join(["", *lines]).encode()))

    expected = [{name: value for name, value in row.items() if value is not None} for row in table]
    assert [one.ref.metadata for one in whole] == expected


@ON_FIXTURES
@given(
    content=st.binary(max_size=200) | st.text(alphabet='{}[]",;\n\r\t\\url:1a', max_size=80).map(str.encode)
)
def test_whatever_is_in_the_file_ends_in_rows_or_a_fault_of_the_source(
    listing_of: Callable[..., Any], content: bytes
) -> None:
    for head in (b"url\n", b'{"url": "a.jpg"}\n', b""):
        with suppress(SourceError):
            list(listing_of("anything", head + content).list(None))


def test_rows_without_a_picture_and_broken_rows_are_refused_and_the_others_listed(
    listing_of: Callable[..., Any],
) -> None:
    lines = [
        b'{"url": "a.jpg", "price": "1.5", "made": "2024-05-31", "tags": "x, y,,x"}',
        b"",
        b"no json",
        b'["a list"]',
        b'{"price": 2}',
        b'{"url": 7}',
        b'{"url": "  "}',
        b"[" * 100_000,
        b'{"url": "long.jpg", "text": "' + b"x" * MAX_ROW_BYTES + b'"}',
        b'{"url": "much.jpg", "text": "' + b"x" * 70_000 + b'"}',
        b'{"url": "deep.jpg", "text": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"url": "many.jpg", "tags": ' + json.dumps(list(range(101))).encode() + b"}",
        b'{"url": "b.jpg", "tags": ["z", 5, null], "nan": NaN, "big": 123456789012345678901234567890}',
    ]

    whole = check_resuming(listing_of("a.jsonl", b"\n".join(lines)))

    reasons = [one.ref.refused.reason if one.ref.refused else None for one in whole]
    bad, gone = FailureReason.BAD_METADATA, FailureReason.NOT_FOUND
    assert reasons == [None, bad, bad, gone, gone, gone, bad, bad, bad, bad, bad, None]
    assert whole[0].ref.metadata == {"price": 1.5, "made": "2024-05-31T00:00:00Z"}
    assert whole[0].ref.tags == ("x", "y")
    assert whole[-1].ref.tags == ("z", "5")
    assert whole[-1].ref.metadata == {"big": "123456789012345678901234567890"}
    assert whole[1].ref.uri.endswith("/a.jsonl#row=2")
    assert whole[1].ref.refused is not None
    assert whole[1].ref.refused.detail.startswith("Row 2 is not JSON")


def test_csv_rows_of_another_length(listing_of: Callable[..., Any]) -> None:
    content = b"url,title,\na.jpg\n\nb.jpg,t,,\nc.jpg,t,,too much\n,no picture\n"

    whole = check_resuming(listing_of("a.csv", content))

    assert [(row[1], row[2]) for row in rows_of(whole)] == [
        ({}, None),
        ({"title": "t"}, None),
        ({}, FailureReason.BAD_METADATA),
        ({}, FailureReason.NOT_FOUND),
    ]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "manifest_empty"),
        ("a.csv", b"picture,title\na.jpg,x\n", "manifest_column_missing"),
        ("a.jsonl", b'{"picture": "a.jpg"}\n', "manifest_column_missing"),
        ("a.csv", b"url,x,x\n", "manifest_damaged"),
        ("a.csv", b'url\n"open\n' + b"x\n" * MAX_ROW_BYTES, "manifest_damaged"),
        ("a.csv", b"url\n" + b"x" * (2 * MAX_ROW_BYTES), "manifest_damaged"),
        ("a.csv", "url\ncafé.jpg\n".encode("latin-1"), "manifest_encoding"),
        ("a.csv", "url\na.jpg\n".encode("utf-16"), "manifest_encoding"),
        ("a.jsonl", b'{"url": "caf\xe9.jpg"}', "manifest_encoding"),
        ("a.json", b'[{"url": "a.jpg"}]', "manifest_unsupported"),
        ("a.csv.gz", b"\x1f\x8b\x08\0", "manifest_unsupported"),
        ("a.xlsx", b"PK\x03\x04", "manifest_unsupported"),
        ("a.csv", b"\0\0\0\0", "manifest_unsupported"),
        ("a.parquet", b"url\na.jpg\n", "manifest_damaged"),
    ],
)
def test_file_that_is_no_manifest_is_a_fault_of_the_source(
    listing_of: Callable[..., Any], name: str, content: bytes, code: str
) -> None:
    with pytest.raises(SourceError, match=name) as caught:
        list(listing_of(name, content).list(None))
    assert caught.value.code == code


def test_missing_column_is_named_with_those_there_are(listing_of: Callable[..., Any]) -> None:
    with pytest.raises(SourceError, match=r"'image'.*'url', 'title'"):
        list(listing_of("a.csv", b"url,title\na.jpg,x\n", "image").list(None))


def test_rows_before_a_damage_are_listed(listing_of: Callable[..., Any]) -> None:
    listing = listing_of("a.csv", b"url\na.jpg\nb.jpg\n\xff\n").list(None)
    assert [next(listing).ref.uri.rpartition("/")[2] for _ in range(2)] == ["a.jpg", "b.jpg"]
    with pytest.raises(SourceError, match="byte 16"):
        next(listing)


def test_byte_order_mark_and_carriage_returns_are_no_part_of_the_names(
    listing_of: Callable[..., Any],
) -> None:
    content = "\ufeffurl ;title\r\na.jpg;x\r\n".encode()

    assert [one.ref.metadata for one in listing_of("a.csv", content).list(None)] == [{"title": "x"}]


def test_cursor_of_another_file_is_not_followed(listing_of: Callable[..., Any]) -> None:
    cursor = next(iter(listing_of("a.csv", b"url\na.jpg\nb.jpg\n").list(None))).cursor

    with pytest.raises(SourceError) as caught:
        list(listing_of("a.csv", b"url\nc.jpg\nd.jpg\n").list(cursor))
    assert caught.value.code == "manifest_changed"
