"""URLs are read strictly, and shown without their secrets."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching.urls import Target, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.test", Target("http", "a.test", 80, "/", "")),
        ("HTTPS://A.Test:443/B?c=D#e", Target("https", "a.test", 443, "/B", "?c=D")),
        ("https://a.test.:8443/x", Target("https", "a.test", 8443, "/x", "")),
        ("https://bücher.example/ä", Target("https", "xn--bcher-kva.example", 443, "/%C3%A4", "")),
        ("http://[2606:2800:220:1:0:0:0:1]/", Target("http", "2606:2800:220:1::1", 80, "/", "")),
        ("http://127。0。0。1/", Target("http", "127.0.0.1", 80, "/", "")),
        ("https://a.test/x?X-Sig=a%2Fb%3D", Target("https", "a.test", 443, "/x", "?X-Sig=a%2Fb%3D")),
    ],
)
def test_reads_urls(url: str, expected: Target) -> None:
    assert parse_url(url) == expected


def test_host_header_names_the_port_that_is_not_usual() -> None:
    assert parse_url("http://[2606:2800::1]:8080/").authority == "[2606:2800::1]:8080"
    assert parse_url("https://a.test:443/").authority == "a.test"


@given(st.one_of(st.text(), st.builds(lambda host: f"http://{host}/", st.text())))
def test_any_text_is_a_plain_target_or_refused(text: str) -> None:
    target = target_or_refusal(lambda: parse_url(text))
    if target is None:
        return
    assert parse_url(target.url) == target
    assert target.host.isascii()
    if not is_address(target.host):
        assert not target.host.rpartition(".")[2].isdigit()


@given(st.text())
def test_any_redirect_is_a_plain_target_or_refused(location: str) -> None:
    target = target_or_refusal(lambda: parse_url("http://a.test/b?secret").follow(location))
    assert target is None or parse_url(target.url) == target


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/c?d", "https://a.test/c?d"),
        ("c", "https://a.test/x/c"),
        ("//b.test/", "https://b.test/"),
        ("http://b.test:8080/", "http://b.test:8080/"),
    ],
)
def test_follows_redirects(location: str, url: str) -> None:
    assert parse_url("https://a.test/x/y?z").follow(location).url == url


def test_shows_no_query() -> None:
    shown = parse_url("https://a.test/b/c.jpg?X-Amz-Signature=secret#fragment").shown
    assert shown == "https://a.test/b/c.jpg"


def test_shows_a_long_path_in_part() -> None:
    assert len(parse_url(f"https://a.test/{'b' * 5000}").shown) < 250


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@a.test/",
        "data:image/png;base64,secret",
        "http://a.test:secret/",
        "http://secret%20.test/",
        "http://user:sec/ret@a.test/",
    ],
)
def test_refusal_does_not_tell_what_may_be_secret(url: str) -> None:
    with pytest.raises(BadPicture) as refused:
        parse_url(url)
    assert "sec" not in refused.value.detail


def test_long_url_is_refused() -> None:
    with pytest.raises(BadPicture, match="longer than 8192"):
        parse_url(f"https://a.test/{'b' * 9000}")


def target_or_refusal(read: Callable[[], Target]) -> Target | None:
    try:
        return read()
    except BadPicture as error:
        refused = error
    assert refused.reason is FailureReason.ADDRESS_FORBIDDEN
    return None


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
