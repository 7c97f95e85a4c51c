"""SIGHTLINE_REDIS_URL in all its forms."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.url import url_to_parts

from sightline.errors import SettingsError
from sightline.queue.addresses import OneRedis, Sentinels, parse_redis_url, sentinel_urls

HOSTS = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("url", "password"),
    [("redis://redis:6379/0", None), ("redis://:p%40w@redis", "p@w"), ("unix:///run/redis.sock?db=1", None)],
)
def test_a_url_of_redis_py_stays_as_it_is(url: str, password: str | None) -> None:
    assert parse_redis_url(url) == OneRedis(url, password)


def test_certificates_are_checked_unless_the_url_says_otherwise() -> None:
    assert parse_redis_url("rediss://cache:6380/0").tls_options == {"ssl_cert_reqs": "required"}
    url = "rediss://cache/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none&ssl_check_hostname=false&timeout=3"
    assert parse_redis_url(url).tls_options == {
        "ssl_cert_reqs": "none",
        "ssl_ca_certs": "/ca.pem",
        "ssl_check_hostname": False,
    }


def test_sentinels() -> None:
    url = "redis+sentinel://user:p%40ss@one,two:1,[::1]:2/queue/3?sentinel_password=other"
    assert parse_redis_url(url) == Sentinels(
        hosts=(("one", 26379), ("two", 1), ("::1", 2)),
        service="queue",
        db=3,
        username="user",
        password="p@ss",
        sentinel_password="other",
    )
    assert parse_redis_url("rediss+sentinel://one/queue") == Sentinels(
        hosts=(("one", 26379),), service="queue", tls=True, tls_options={"ssl_cert_reqs": "required"}
    )


@given(
    hosts=st.lists(st.tuples(HOSTS, st.integers(1, 65535)), min_size=1, max_size=5),
    username=st.none() | TEXTS,
    password=st.none() | TEXTS,
    db=st.integers(0, 9999),
)
def test_what_celery_and_redis_py_are_told_is_the_same(
    hosts: list[tuple[str, int]], username: str | None, password: str | None, db: int
) -> None:
    login = f"{quote(username or '', safe='')}:{quote(password or '', safe='')}@"
    names = ",".join(f"{host}:{port}" for host, port in hosts)
    told = parse_redis_url(f"redis+sentinel://{login}{names}/queue/{db}")
    assert isinstance(told, Sentinels)
    assert (told.hosts, told.db) == (tuple(hosts), db)
    assert (told.username, told.password) == (username, password)

    parts = [url_to_parts(url) for url in sentinel_urls(told).split(";")]
    assert [(part.hostname, part.port) for part in parts] == hosts
    assert {part.path for part in parts} == {str(db)}
    assert {(part.username or None, part.password or None) for part in parts} == {(username, password)}
    assert all(part.scheme == "sentinel" for part in parts)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "http://redis:6379",
        "sentinel://one/queue",
        "redis://[redis",
        "redis://redis:port",
        "redis://:secret@redis:99999",
        "redis+sentinel://one",
        "redis+sentinel://one/",
        "redis+sentinel://one/queue/zero",
        "redis+sentinel://one/queue/0/1",
        "redis+sentinel:///queue",
        "redis+sentinel://one,/queue",
        "redis+sentinel://one:0/queue",
        "redis+sentinel://one:99999/queue",
        "redis+sentinel://:secret@one:port/queue",
    ],
)
def test_what_is_no_address_is_a_sentence_without_secrets(url: str) -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_REDIS_URL") as caught:
        parse_redis_url(url)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_does_anything_else(text: str) -> None:
    for form in (text, f"redis://{text}", f"redis+sentinel://{text}", f"redis+sentinel://a,{text}/queue"):
        with suppress(SettingsError):
            parse_redis_url(form)


def test_passwords_do_not_show() -> None:
    for url in ("redis+sentinel://:secret@one/queue?sentinel_password=secret", "redis://:secret@one"):
        assert "secret" not in repr(parse_redis_url(url))
