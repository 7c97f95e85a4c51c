"""What a URL names, read strictly: a spelling that programs read differently is refused."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import httpx

from sightline.errors import BadPicture, FailureReason

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNPRIVILEGED_PORT = 1024
_MAX_URL_CHARACTERS = 8192
_MAX_PATH_SHOWN_CHARACTERS = 200
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME_CHARACTERS = 253


@dataclass(frozen=True)
class Target:
    """What is asked of whom; `host` is a lower-case ASCII name or a canonical IP address."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a connection is to."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def request_target(self) -> str:
        """Path and query, as they stand in a request."""
        return self.path + self.query

    @property
    def url(self) -> str:
        """The whole URL; its query may hold secrets."""
        return f"{self.scheme}://{self.authority}{self.request_target}"

    @property
    def shown(self) -> str:
        """The URL for people and logs: no query, which in signed URLs is a key."""
        path = self.path
        if len(path) > _MAX_PATH_SHOWN_CHARACTERS:
            path = f"{path[:_MAX_PATH_SHOWN_CHARACTERS]}…"
        return f"{self.scheme}://{self.authority}{path}"

    def follow(self, location: str) -> "Target":
        """Where a redirect leads; raises BadPicture as `parse_url` does."""
        try:
            url = str(httpx.URL(self.url).join(location))
        except (httpx.InvalidURL, ValueError):
            raise _forbidden(f"{self.shown} redirects to what is no valid URL.") from None
        try:
            return parse_url(url)
        except BadPicture as refused:
            raise _forbidden(f"{self.shown} redirects elsewhere. {refused.detail}") from None


def parse_url(text: str) -> Target:
    """Read a URL; raises BadPicture (`address_forbidden`) for one that is not fetched whoever asks.

    Permitted are http and https, without user name and password, at ports 80, 443 and from 1024 up (below
    are services that must not be spoken to in HTTP). A host is a domain name or an IP address in its
    usual spelling: 2130706433, 0177.0.0.1, 0x7f.1 and 127.1 are addresses to some programs and names to
    others. What remains is an address still to be checked, or a name still to be looked up.
    """
    if len(text) > _MAX_URL_CHARACTERS:
        raise _forbidden(f"The URL is longer than {_MAX_URL_CHARACTERS} characters.")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise _forbidden("The URL is not a valid one.") from None
    if url.scheme not in _DEFAULT_PORTS:
        raise _forbidden(f"URLs of scheme '{url.scheme[:20]}' are not fetched; use https or http.")
    if url.userinfo:
        raise _forbidden("A URL with a user name or password in it is not fetched; leave them out.")
    raw_path, mark, query = url.raw_path.decode("ascii").partition("?")
    port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    target = Target(url.scheme, _host(url), port, raw_path, mark + query)
    if port not in _DEFAULT_PORTS.values() and not _UNPRIVILEGED_PORT <= port <= 65535:
        raise _forbidden(
            f"{target.shown} is at a port that is not fetched from; use 80, 443 or one from 1024."
        )
    return target


def _host(url: httpx.URL) -> str:
    host = url.raw_host.decode("ascii")
    try:
        address = ip_address(host)
    except ValueError:
        return _domain_name(host)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise _forbidden("An address with a zone (%…) is not fetched from.")
    return str(address)


def _domain_name(host: str) -> str:
    name = host.removesuffix(".")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(name) > _MAX_NAME_CHARACTERS:
        raise _forbidden("The URL's host is no valid domain name.")
    # By the URL standard of browsers a name that ends in a number is an IPv4 address.
    if _NUMBER.fullmatch(labels[-1]):
        raise _forbidden(
            "The URL's host is a number; write an IPv4 address as four decimal numbers between dots."
        )
    return name


def _forbidden(sentence: str) -> BadPicture:
    return BadPicture(FailureReason.ADDRESS_FORBIDDEN, sentence)
