"""What headers say is read without trusting them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline_embedder.fetching.answers import Answer

ANY_HEADER = st.one_of(
    st.text(),
    st.from_regex(
        r"[A-Z][a-z]{2}, \d{1,9} [A-Z][a-z]{2} \d{1,9} \d+:\d+:\d+ [-+A-Z0-9]{0,12}", fullmatch=True
    ),
    st.integers().map(str),
    st.builds("9".__mul__, st.integers(1, 6000)),
)


@given(ANY_HEADER)
def test_no_header_breaks_the_reading_of_an_answer(text: str) -> None:
    answer = Answer(
        503, {"last-modified": text, "retry-after": text, "content-length": text, "content-encoding": text}
    )
    assert answer.modified_at is None or answer.modified_at.utcoffset() == timedelta()
    assert answer.retry_after_s >= 0
    assert answer.length is None or answer.length >= 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("Wed, 21 Oct 2015 07:28:00 +0200", datetime(2015, 10, 21, 5, 28, tzinfo=UTC)),
        ("Wed, 21 Oct 2015 07:28:00 -0000", datetime(2015, 10, 21, 7, 28, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_reads_when_a_picture_was_changed(text: str, moment: datetime | None) -> None:
    assert Answer(200, {"last-modified": text}).modified_at == moment


def test_reads_how_long_to_wait() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert Answer(503, {"retry-after": "12"}).retry_after_s == 12
    assert 28 <= Answer(503, {"retry-after": format_datetime(soon, usegmt=True)}).retry_after_s <= 30
    assert Answer(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}).retry_after_s == 0
    assert Answer(503, {}).retry_after_s == 0
