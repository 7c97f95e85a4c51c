"""Where Redis is: one server by a URL, or a master that sentinels name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from sightline.errors import SettingsError

_SENTINEL_PORT = 26379
_PLAIN = ("redis", "rediss", "unix")
_BY_SENTINELS = {"redis+sentinel": False, "rediss+sentinel": True}
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile")
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
_PATH = re.compile(r"/(?P<service>[A-Za-z0-9._-]+)(/(?P<db>[0-9]{1,4})?)?")
_FORM = "redis+sentinel://[user:password@]host[:port][,host…]/service[/db]"


@dataclass(frozen=True)
class Sentinels:
    """The sentinels that know the master of a service, and how to speak to it and to them."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls: bool = False
    tls_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OneRedis:
    """A server by the URL that redis-py takes; `tls_options` are those in it."""

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    tls_options: Mapping[str, Any] = field(default_factory=dict)


def parse_redis_url(text: str) -> OneRedis | Sentinels:
    """Read SIGHTLINE_REDIS_URL; raises SettingsError with a sentence that shows no password."""
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in (*_PLAIN, *_BY_SENTINELS):
        raise SettingsError(
            f"SIGHTLINE_REDIS_URL begins with redis://, rediss://, unix:// or {_FORM.partition('[')[0]}; "
            f"what is given begins with none of these."
        )
    if scheme in _BY_SENTINELS:
        return _sentinels(text.partition("://")[2], tls=_BY_SENTINELS[scheme])
    try:
        url = urlsplit(text)
        password = unquote(url.password or "") or None
        if url.port == 0:
            raise ValueError("0 is no port")
    except ValueError as error:
        raise SettingsError("SIGHTLINE_REDIS_URL names no host and port of a Redis server.") from error
    tls = scheme == "rediss"
    return OneRedis(text, password, tls, _tls_options(url.query) if tls else {})


def _sentinels(text: str, *, tls: bool) -> Sentinels:
    # By hand: a URL has one host, and urlsplit says so of some lists.
    place, _, query = text.partition("?")
    netloc, slash, rest = place.partition("/")
    credentials, _, hosts = netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    path = _PATH.fullmatch(slash + rest)
    if path is None:
        raise SettingsError(
            f"SIGHTLINE_REDIS_URL names no service that the sentinels watch, or a database that is no "
            f"number; write {_FORM}."
        )
    options = dict(parse_qsl(query))
    return Sentinels(
        hosts=tuple(_host(one) for one in hosts.split(",")),
        service=path["service"],
        db=int(path["db"] or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        tls=tls,
        tls_options=_tls_options(query) if tls else {},
    )


def _host(text: str) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match["port"] or _SENTINEL_PORT) if match else 0
    if match is None or not 0 < port < 1 << 16:
        raise SettingsError(f"SIGHTLINE_REDIS_URL names a sentinel that is no host and port; write {_FORM}.")
    return match["host"].strip("[]"), port


def _tls_options(query: str) -> dict[str, Any]:
    """What redis-py takes; a certificate is checked unless the URL says otherwise."""
    options: dict[str, Any] = {"ssl_cert_reqs": "required"}
    for name, value in parse_qsl(query):
        if name == "ssl_check_hostname":
            options[name] = value.lower() not in ("false", "no", "0")
        elif name in _TLS_OPTIONS:
            options[name] = value
    return options


def sentinel_urls(sentinels: Sentinels) -> str:
    """The same as Celery writes it: a URL for each sentinel, with the master's credentials in each."""
    user, password = (quote(one or "", safe="") for one in (sentinels.username, sentinels.password))
    login = f"{user}:{password}@" if user or password else ""
    hosts = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in sentinels.hosts]
    return ";".join(f"sentinel://{login}{host}/{sentinels.db}" for host in hosts)
