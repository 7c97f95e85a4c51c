"""Whatever a host does, a fetch ends within its limits and says why."""

import gzip
import socket
import struct
import time
from collections.abc import Callable

import pytest
from hostile_site import Site, Visit

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching import Fetcher, FetchLimits

URL = "http://pictures.test/a"
LIMIT = 100_000
HASTY = FetchLimits(first_byte_s=1.0, total_s=3.0, min_bytes_per_s=0, attempts=2, backoff_s=0.01)
SLACK_S = 2.0
"""For a busy machine."""
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(20_000_000))

TIMEOUT = FailureReason.FETCH_TIMEOUT
FAILED = FailureReason.FETCH_FAILED
TOO_MANY = FailureReason.TOO_MANY_BYTES


def says_nothing(visit: Visit) -> None:
    visit.stopped.wait(5)


def drips_headers(visit: Visit) -> None:
    visit.send(HEAD + b"X-Header: ")
    visit.repeat(b"a", every_s=0.05)


def goes_on_and_on_about_continuing(visit: Visit) -> None:
    visit.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.01)


def drips_body(visit: Visit) -> None:
    visit.send(HEAD + b"Content-Length: 5000\r\n\r\n")
    visit.repeat(b"a", every_s=0.05)


def stops_within_body(visit: Visit) -> None:
    visit.send(HEAD + b"Content-Length: 5000\r\n\r\nabc")
    visit.stopped.wait(5)


def has_endless_headers(visit: Visit) -> None:
    visit.send(HEAD)
    visit.repeat(b"X-Header: " + b"a" * 1000 + b"\r\n")


def has_an_endless_header(visit: Visit) -> None:
    visit.send(HEAD + b"X-Header: ")
    visit.repeat(b"a" * 1000)


def has_an_endless_body(visit: Visit) -> None:
    visit.send(HEAD + b"\r\n")
    visit.repeat(b"a" * 1000)


def has_endless_chunks(visit: Visit) -> None:
    visit.send(CHUNKED)
    visit.repeat(b"64\r\n" + b"a" * 100 + b"\r\n")


def has_an_endless_chunk_size(visit: Visit) -> None:
    visit.send(CHUNKED)
    visit.repeat(b"1" * 1000)


def has_an_endless_chunk_extension(visit: Visit) -> None:
    visit.send(CHUNKED + b"1;")
    visit.repeat(b"a" * 1000)


def has_endless_trailers(visit: Visit) -> None:
    visit.send(CHUNKED + b"1\r\na\r\n0\r\n")
    visit.repeat(b"X-Header: " + b"a" * 1000 + b"\r\n")


def announces_too_much(visit: Visit) -> None:
    visit.answer(b"abc", length=10**12)


def is_a_gzip_bomb(visit: Visit) -> None:
    visit.answer(BOMB, Content_Encoding="gzip")


def is_a_gzip_bomb_of_many_members(visit: Visit) -> None:
    visit.send(HEAD + b"Content-Encoding: x-gzip\r\n\r\n")
    visit.repeat(gzip.compress(b"a" * 1000) * 10)


def is_endless_gzip_of_nothing(visit: Visit) -> None:
    visit.send(HEAD + b"Content-Encoding: gzip\r\n\r\n")
    visit.repeat(gzip.compress(b"") * 100)


def is_gzip_within_gzip(visit: Visit) -> None:
    visit.answer(gzip.compress(BOMB), Content_Encoding="gzip, gzip")


def is_not_the_gzip_it_says(visit: Visit) -> None:
    visit.answer(b"abc" * 100, Content_Encoding="gzip")


def is_cut_off_gzip(visit: Visit) -> None:
    visit.answer(gzip.compress(b"abc" * 100)[:-9], Content_Encoding="gzip")


def is_compressed_otherwise(visit: Visit) -> None:
    visit.answer(b"abc", Content_Encoding="br")


def is_shorter_than_it_says(visit: Visit) -> None:
    visit.answer(b"abc", length=10)


def has_a_negative_length(visit: Visit) -> None:
    visit.answer(b"abc", length=-1)


def has_two_lengths(visit: Visit) -> None:
    visit.send(HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")


def has_a_length_of_5000_digits(visit: Visit) -> None:
    visit.answer(b"abc", length="9" * 5000)


def resets_the_connection(visit: Visit) -> None:
    visit.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs_up(visit: Visit) -> None:
    visit.keep_open = False


def speaks_ssh(visit: Visit) -> None:
    visit.send(b"SSH-2.0-OpenSSH_9.6\r\n" * 10)


def switches_protocols(visit: Visit) -> None:
    visit.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
    visit.repeat(b"a" * 1000)


def redirects_to_itself(visit: Visit) -> None:
    visit.answer(status="302 Found", Location="/a")


def redirects_with_an_endless_body(visit: Visit) -> None:
    visit.send(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n")
    visit.repeat(b"a" * 1000)


def redirects_nowhere(visit: Visit) -> None:
    visit.answer(status="302 Found")


def sends_a_part(visit: Visit) -> None:
    visit.answer(b"abc", status="206 Partial Content", Content_Range="bytes 0-2/10")


@pytest.mark.parametrize(
    ("misbehave", "sentence"),
    [
        (says_nothing, "did not answer within 1 s."),
        (drips_headers, "did not answer within 1 s."),
        (goes_on_and_on_about_continuing, "did not answer within 1 s."),
        (stops_within_body, "fell silent for 1 s."),
        (drips_body, "was not fetched within 3 s."),
    ],
)
def test_slow_host_ends_within_the_limits(
    misbehave: Callable[[Visit], None], sentence: str, make_fetcher: Callable[..., Fetcher], site: Site
) -> None:
    site.routes["/a"] = misbehave
    fetcher = make_fetcher(limits=HASTY)
    begun = time.monotonic()

    failure = failure_of(fetcher, URL)

    assert failure.reason is TIMEOUT
    assert failure.detail == f"http://pictures.test/a {sentence}"
    assert time.monotonic() - begun < HASTY.total_s + SLACK_S


@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [
        (has_endless_headers, FAILED),
        (has_an_endless_header, FAILED),
        (has_an_endless_body, TOO_MANY),
        (has_endless_chunks, TOO_MANY),
        (has_an_endless_chunk_size, FAILED),
        (has_an_endless_chunk_extension, FAILED),
        (has_endless_trailers, FAILED),
        (announces_too_much, TOO_MANY),
        (is_a_gzip_bomb, TOO_MANY),
        (is_a_gzip_bomb_of_many_members, TOO_MANY),
        (is_endless_gzip_of_nothing, TOO_MANY),
        (is_gzip_within_gzip, FAILED),
        (is_not_the_gzip_it_says, FAILED),
        (is_cut_off_gzip, FAILED),
        (is_compressed_otherwise, FAILED),
        (is_shorter_than_it_says, FAILED),
        (has_a_negative_length, FAILED),
        (has_two_lengths, FAILED),
        (has_a_length_of_5000_digits, FAILED),
        (resets_the_connection, FAILED),
        (hangs_up, FAILED),
        (speaks_ssh, FAILED),
        (switches_protocols, FAILED),
        (redirects_to_itself, FAILED),
        (redirects_with_an_endless_body, FAILED),
        (redirects_nowhere, FAILED),
        (sends_a_part, FAILED),
    ],
)
def test_hostile_host_ends_soon_with_its_reason(
    misbehave: Callable[[Visit], None], reason: FailureReason, fetcher: Fetcher, site: Site
) -> None:
    site.routes["/a"] = misbehave
    begun = time.monotonic()

    failure = failure_of(fetcher, URL)

    assert failure.reason is reason
    assert failure.detail.startswith(("http://pictures.test/a ", "More than 3 redirects"))
    assert len(failure.detail) < 400
    assert time.monotonic() - begun < 10


def test_slow_body_is_given_up_early_when_it_is_below_the_minimum_rate(
    make_fetcher: Callable[..., Fetcher], site: Site
) -> None:
    site.routes["/a"] = drips_body
    fetcher = make_fetcher(limits=FetchLimits(first_byte_s=1.0, total_s=10, min_bytes_per_s=1000))
    begun = time.monotonic()

    assert "less than 1000 bytes a second" in failure_of(fetcher, URL).detail
    assert time.monotonic() - begun < 1.0 + SLACK_S
    assert len(site.visits) == 1


def test_host_that_takes_a_connection_and_never_speaks_tls(
    make_fetcher: Callable[..., Fetcher], site: Site
) -> None:
    fetcher = make_fetcher(limits=HASTY)
    begun = time.monotonic()

    assert failure_of(fetcher, "https://pictures.test/a").reason is TIMEOUT
    assert time.monotonic() - begun < HASTY.total_s + SLACK_S


def test_wait_for_a_busy_host_ends(make_fetcher: Callable[..., Fetcher], site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"a")
    fetcher = make_fetcher(per_host=1, limits=FetchLimits(total_s=0.2))

    with fetcher.stream(URL, LIMIT, FetchLimits(total_s=5)):
        failure = failure_of(fetcher, URL)

    assert failure.reason is TIMEOUT
    assert failure.detail == "pictures.test was busy with 1 other fetches of ours all the time."
    assert len(site.visits) == 1


def failure_of(fetcher: Fetcher, url: str) -> BadPicture:
    with pytest.raises(BadPicture) as failed:
        fetcher.fetch(url, LIMIT)
    return failed.value
