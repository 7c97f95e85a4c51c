"""What a fetch gives, what it tries again, and how it treats a host."""

import gzip
import logging
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from threading import Barrier, BrokenBarrierError, Lock

import pytest
from hostile_site import PUBLIC, Names, Network, Site, Visit

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching import Fetcher, FetchLimits
from sightline_embedder.fetching.addresses import IPAddress

URL = "http://pictures.test/a"
LIMIT = 100_000


def answers_in_turn(*statuses: str, **headers: str) -> Callable[[Visit], None]:
    """A route with one status for each visit, the last for ever; the body is `done`."""
    number = count()

    def answer(visit: Visit) -> None:
        visit.answer(b"done", status=statuses[min(next(number), len(statuses) - 1)], **headers)

    return answer


def test_gives_bytes_date_and_where_they_came_from(fetcher: Fetcher, site: Site) -> None:
    changed = "Wed, 21 Oct 2015 07:28:00 GMT"
    site.routes["/a"] = lambda visit: visit.answer(status="302 Found", Location="http://other.test/b?c")
    site.routes["/b"] = lambda visit: visit.answer(b"picture", Last_Modified=changed)

    fetched = fetcher.fetch(URL, LIMIT)

    assert fetched.data == b"picture"
    assert fetched.modified_at == datetime(2015, 10, 21, 7, 28, tzinfo=UTC)
    assert fetched.url == "http://other.test/b?c"
    assert [visit.headers["host"] for visit in site.visits] == ["pictures.test", "other.test"]


def test_request_is_polite_and_bare(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"a", Set_Cookie="c=1")
    fetcher.fetch(f"{URL}?b=%2F&c=d%20e#f", LIMIT)
    fetcher.fetch(URL, LIMIT)

    first, second = site.visits
    assert first.path == "/a?b=%2F&c=d%20e"
    assert (
        first.headers.keys() == {"host", "user-agent", "accept", "accept-encoding"} == second.headers.keys()
    )
    assert re.fullmatch(r"sightline/\d+\.\d+\.\d+ \(\+image indexing\)", first.headers["user-agent"])
    assert first.headers["accept-encoding"] == "identity"


def test_content_type_is_not_believed(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"<html>", Content_Type="image/jpeg")
    site.routes["/b"] = lambda visit: visit.answer(b"\xff\xd8\xff", Content_Type="text/html")

    assert fetcher.fetch(URL, LIMIT).data == b"<html>"
    assert fetcher.fetch("http://pictures.test/b", LIMIT).data == b"\xff\xd8\xff"


def test_body_of_exactly_the_limit_is_taken(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(bytes(LIMIT))

    assert len(fetcher.fetch(URL, LIMIT).data) == LIMIT
    assert failure_of(fetcher, URL, LIMIT - 1).reason is FailureReason.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"abc" * 30_000),
        gzip.compress(b"abc" * 10_000) + gzip.compress(b"abc" * 20_000),
        gzip.compress(b"abc" * 30_000) + bytes(512),
    ],
    ids=["one member", "two members", "padding"],
)
def test_gzip_that_was_not_asked_for_is_undone(body: bytes, fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(body, Content_Encoding="gzip")
    assert fetcher.fetch(URL, LIMIT).data == b"abc" * 30_000


@pytest.mark.parametrize("coding", ["identity", "none", "utf-8", ""])
def test_coding_that_is_none_is_ignored(coding: str, fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"abc", Content_Encoding=coding)
    assert fetcher.fetch(URL, LIMIT).data == b"abc"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("204 No Content", FailureReason.EMPTY),
        ("304 Not Modified", FailureReason.FETCH_FAILED),
        ("400 Bad Request", FailureReason.FETCH_FAILED),
        ("401 Unauthorized", FailureReason.ACCESS_DENIED),
        ("403 Forbidden", FailureReason.ACCESS_DENIED),
        ("404 Not Found", FailureReason.NOT_FOUND),
        ("410 Gone", FailureReason.NOT_FOUND),
        ("418 I'm a teapot", FailureReason.FETCH_FAILED),
        ("501 Not Implemented", FailureReason.FETCH_FAILED),
    ],
)
def test_permanent_status_has_its_reason_and_is_not_tried_again(
    status: str, reason: FailureReason, fetcher: Fetcher, site: Site
) -> None:
    site.routes["/a"] = lambda visit: visit.answer(status=status)

    failure = failure_of(fetcher, URL)

    assert failure.reason is reason
    assert status[:3] in failure.detail
    assert len(site.visits) == 1


def test_empty_body_is_empty(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer()
    assert failure_of(fetcher, URL).reason is FailureReason.EMPTY


@pytest.mark.parametrize(
    "status", ["429 Slow Down", "500 Oops", "502 Bad", "503 Busy", "504 Slow", "408 Late"]
)
def test_transient_status_is_tried_again(status: str, fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = answers_in_turn(status, "200 OK")
    assert fetcher.fetch(URL, LIMIT).data == b"done"


def test_lost_connection_is_tried_again(fetcher: Fetcher, site: Site) -> None:
    ways = iter([lambda visit: visit.answer(b"do", length=4), lambda visit: visit.answer(b"done")])
    site.routes["/a"] = lambda visit: next(ways)(visit)
    assert fetcher.fetch(URL, LIMIT).data == b"done"


def test_attempts_have_an_end(make_fetcher: Callable[..., Fetcher], site: Site) -> None:
    site.routes["/a"] = answers_in_turn("503 Busy")
    fetcher = make_fetcher(limits=FetchLimits(attempts=3, backoff_s=0.01))

    failure = failure_of(fetcher, URL)

    assert failure.reason is FailureReason.FETCH_FAILED
    assert failure.detail == "http://pictures.test/a answers with status 503; try again later."
    assert len(site.visits) == 3


def test_host_is_left_alone_as_long_as_it_asks(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = answers_in_turn("503 Busy", "200 OK", Retry_After="1")
    begun = time.monotonic()

    assert fetcher.fetch(URL, LIMIT).data == b"done"
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(("seconds", "total_s"), [("30", 20), ("100", 1000)], ids=["for us", "for anybody"])
def test_host_that_asks_for_too_long_is_not_tried_again(
    seconds: str, total_s: float, make_fetcher: Callable[..., Fetcher], site: Site
) -> None:
    site.routes["/a"] = answers_in_turn("429 Slow Down", Retry_After=seconds)
    begun = time.monotonic()

    failure = failure_of(make_fetcher(limits=FetchLimits(total_s=total_s)), URL)

    assert failure.reason is FailureReason.FETCH_FAILED
    assert len(site.visits) == 1
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("errno", "asked", "sentence"),
    [
        (socket.EAI_NONAME, 1, "its host's name has no address. Check the name."),
        (socket.EAI_AGAIN, 2, "the name service does not know its host just now."),
    ],
    ids=["no such name", "name service is down"],
)
def test_name_without_address(
    errno: int, asked: int, sentence: str, make_fetcher: Callable[..., Fetcher]
) -> None:
    calls = count()

    def fails(host: str, timeout_s: float, /) -> list[IPAddress]:
        next(calls)
        raise socket.gaierror(errno, "no")

    failure = failure_of(make_fetcher(resolver=fails), URL)

    assert failure.reason is FailureReason.FETCH_FAILED
    assert failure.detail == f"http://pictures.test/a cannot be fetched: {sentence}"
    assert next(calls) == asked


def test_slow_name_service_ends_in_time(make_fetcher: Callable[..., Fetcher]) -> None:
    given = []

    def is_slow(host: str, timeout_s: float, /) -> list[IPAddress]:
        given.append(timeout_s)
        raise TimeoutError

    failure = failure_of(make_fetcher(resolver=is_slow, limits=FetchLimits(first_byte_s=3, attempts=1)), URL)

    assert failure.reason is FailureReason.FETCH_TIMEOUT
    assert 2 < given[0] <= 3


def test_second_address_is_used_when_the_first_does_not_answer(
    fetcher: Fetcher, names: Names, network: Network, site: Site
) -> None:
    names.answers["pictures.test"] = [["93.184.216.99", PUBLIC]]
    site.routes["/a"] = lambda visit: visit.answer(b"a")

    assert fetcher.fetch(URL, LIMIT).data == b"a"
    assert network.tried == ["93.184.216.99", PUBLIC]


def test_connection_is_used_again(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"a")
    for _ in range(5):
        fetcher.fetch(URL, LIMIT)
    assert site.connections == 1


def test_connection_with_an_unread_rest_is_not_used_again(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(bytes(1000))

    failure_of(fetcher, URL, 10)

    assert fetcher.fetch(URL, LIMIT).data == bytes(1000)
    assert site.connections == 2


def test_connection_that_the_host_closed_meanwhile_is_not_used_again(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = answers_and_closes

    for _ in range(3):
        assert fetcher.fetch(URL, LIMIT).data == b"a"
    assert len(site.visits) == site.connections == 3


def test_host_gets_so_many_requests_at_a_time_and_no_more(fetcher: Fetcher, site: Site) -> None:
    # Given two turns, a third request would break the barrier of three.
    together = Barrier(3)
    met = []

    def meet(visit: Visit) -> None:
        try:
            together.wait(timeout=0.15)
            met.append(visit)
        except BrokenBarrierError:
            together.reset()
        visit.answer(b"a")

    site.routes["/a"] = meet
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: fetcher.fetch(URL, LIMIT, FetchLimits(total_s=20)), range(6)))

    assert [one.data for one in results] == [b"a"] * 6
    assert met == []
    assert site.connections <= 2


def test_hosts_do_not_wait_for_each_other(make_fetcher: Callable[..., Fetcher], site: Site) -> None:
    together = Barrier(2)

    def meet(visit: Visit) -> None:
        together.wait(timeout=5)
        visit.answer(b"a")

    site.routes["/a"] = meet
    fetcher = make_fetcher(per_host=1, limits=FetchLimits(total_s=20))
    with ThreadPoolExecutor(2) as threads:
        urls = [URL, "http://other.test/a"]
        assert [one.data for one in threads.map(lambda url: fetcher.fetch(url, LIMIT), urls)] == [b"a"] * 2


def test_redirect_to_the_same_host_needs_one_turn(make_fetcher: Callable[..., Fetcher], site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(status="302 Found", Location="/b")
    site.routes["/b"] = lambda visit: visit.answer(b"b")
    assert make_fetcher(per_host=1).fetch(URL, LIMIT).data == b"b"


def test_many_threads(fetcher: Fetcher, site: Site) -> None:
    for number in range(40):
        site.routes[f"/{number}"] = lambda visit: visit.answer(visit.path.encode() * 1000)
    limits = FetchLimits(total_s=30)
    with ThreadPoolExecutor(8) as threads:
        urls = [f"http://{host}.test/{number}" for number in range(40) for host in ("pictures", "other")]
        fetched = list(threads.map(lambda url: fetcher.fetch(url, LIMIT, limits).data, urls))
    assert fetched == [f"/{url.rpartition('/')[2]}".encode() * 1000 for url in urls]


def test_redirects_are_followed_up_to_their_limit(fetcher: Fetcher, site: Site) -> None:
    for number in range(5):
        site.routes[f"/{number}"] = lambda visit: visit.answer(
            status="302 Found", Location=f"/{int(visit.path[1:]) + 1}"
        )
    site.routes["/5"] = lambda visit: visit.answer(b"end")

    assert fetcher.fetch("http://pictures.test/2", LIMIT).data == b"end"
    failure = failure_of(fetcher, "http://pictures.test/1")

    assert failure.reason is FailureReason.FETCH_FAILED
    assert failure.detail == "More than 3 redirects lead to http://pictures.test/5."
    assert [visit.path for visit in site.visits[4:]] == ["/1", "/2", "/3", "/4"]


def test_stream_gives_chunks_as_they_come(fetcher: Fetcher, site: Site) -> None:
    taken = Lock()
    taken.acquire()

    def answer(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        taken.acquire(timeout=5)
        visit.send(b"cd")

    site.routes["/a"] = answer
    limits = FetchLimits(total_s=20)
    with fetcher.stream(URL, LIMIT, limits) as download:
        chunks = iter(download.chunks)
        assert next(chunks) == b"ab"
        taken.release()
        assert b"".join(chunks) == b"cd"


def test_stream_is_opened_again_after_a_transient_failure(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = answers_in_turn("503 Busy", "200 OK")
    with fetcher.stream(URL, LIMIT) as download:
        assert b"".join(download.chunks) == b"done"


def test_stream_that_breaks_off_says_so(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"do", length=4)
    with fetcher.stream(URL, LIMIT) as download, pytest.raises(BadPicture) as failed:
        b"".join(download.chunks)
    assert failed.value.reason is FailureReason.FETCH_FAILED


def test_stream_that_is_left_early_gives_its_turn_back(
    make_fetcher: Callable[..., Fetcher], site: Site
) -> None:
    site.routes["/a"] = lambda visit: visit.answer(bytes(LIMIT))
    fetcher = make_fetcher(per_host=1)

    with fetcher.stream(URL, LIMIT) as download:
        next(download.chunks)

    assert len(fetcher.fetch(URL, LIMIT).data) == LIMIT


def test_secrets_of_signed_urls_are_not_told(
    fetcher: Fetcher, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.routes["/a"] = lambda visit: visit.answer(status="302 Found", Location="/b?signature=secret2")
    site.routes["/b"] = lambda visit: visit.answer(b"b", status="403 Forbidden")

    with caplog.at_level(logging.INFO):
        failure = failure_of(fetcher, f"{URL}?signature=secret1")

    assert "http://pictures.test/b " in failure.detail
    assert "secret" not in failure.detail + caplog.text


def test_what_was_fetched_shows_neither_url_nor_bytes(fetcher: Fetcher, site: Site) -> None:
    site.routes["/a"] = lambda visit: visit.answer(b"bytes")
    assert repr(fetcher.fetch(f"{URL}?secret", LIMIT)) == "Fetched(modified_at=None)"


def answers_and_closes(visit: Visit) -> None:
    visit.answer(b"a")
    visit.keep_open = False


def failure_of(fetcher: Fetcher, url: str, max_bytes: int = LIMIT) -> BadPicture:
    with pytest.raises(BadPicture) as failed:
        fetcher.fetch(url, max_bytes)
    return failed.value
