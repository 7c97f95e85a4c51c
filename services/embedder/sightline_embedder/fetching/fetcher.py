"""The fetcher: from a URL to its bytes, wherever strangers make it point."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Self

import httpcore
import httpx

from sightline.errors import BadPicture, FailureReason
from sightline.settings import Settings
from sightline_embedder.fetching.addresses import AddressPolicy
from sightline_embedder.fetching.answers import Answer, require_picture
from sightline_embedder.fetching.bodies import read_body
from sightline_embedder.fetching.connections import Connection, Connections
from sightline_embedder.fetching.failures import failures_named
from sightline_embedder.fetching.limits import Deadline, FetchLimits
from sightline_embedder.fetching.network import CheckedNetwork
from sightline_embedder.fetching.resolving import Resolver, resolve
from sightline_embedder.fetching.retrying import retrying
from sightline_embedder.fetching.turns import HostTurns
from sightline_embedder.fetching.urls import Target, parse_url


@dataclass(frozen=True)
class Fetched:
    """A body and what came with it; `url` is where redirects ended, and may hold secrets."""

    data: bytes = field(repr=False)
    modified_at: datetime | None
    url: str = field(repr=False)


@dataclass(frozen=True)
class Download:
    """A body that is being read; `chunks` are of bounded size and can be read once."""

    chunks: Iterator[bytes]
    modified_at: datetime | None
    url: str = field(repr=False)


class Fetcher:
    """Fetches URLs. Safe to call from several threads.

    Only public addresses are connected to, and those the policy allows; every redirect is judged like a
    URL of its own. Proxies of the environment are not used, as they would resolve names themselves; the
    certificates of SSL_CERT_FILE are. Nothing is believed of a body's content type.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        limits: FetchLimits,
        *,
        per_host: int,
        resolver: Resolver = resolve,
        network: httpcore.NetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Nothing is connected yet. `network` is what connects to an address that was checked."""
        sockets = network or httpcore.SyncBackend()
        self._limits = limits
        self._connections = Connections(
            HostTurns(per_host),
            lambda patience: CheckedNetwork(policy, resolver, sockets, patience),
            ssl_context or httpx.create_ssl_context(),
        )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The fetcher that the settings describe."""
        policy = AddressPolicy(settings.fetch_allowed_networks)
        return cls(policy, FetchLimits.of_pictures(settings), per_host=settings.fetch_per_host)

    def fetch(self, url: str, max_bytes: int, limits: FetchLimits | None = None) -> Fetched:
        """The whole body, at most `max_bytes`; `limits` stand in for those of the fetcher.

        Raises BadPicture: `address_forbidden`, `fetch_timeout`, `fetch_failed`, `too_many_bytes`, `empty`,
        `not_found` (404, 410) or `access_denied` (401, 403). What may pass is tried again before that.
        """
        limits = limits or self._limits
        target, deadline = parse_url(url), Deadline(limits.total_s)

        def attempt() -> Fetched:
            with self._opened(target, max_bytes, limits, deadline) as download:
                data = _read(download)
            if not data:
                raise BadPicture(FailureReason.EMPTY, f"{target.shown} has no bytes.")
            return Fetched(data, download.modified_at, download.url)

        return retrying(limits, deadline)(attempt)

    @contextmanager
    def stream(self, url: str, max_bytes: int, limits: FetchLimits | None = None) -> Iterator[Download]:
        """The body in chunks, to be spooled: the time that the caller takes counts too.

        Raises as `fetch` does, on entry and from the chunks, but `empty` only for an answer that has no
        body. What fails on entry and may pass is tried again; what fails later is not.
        """
        limits = limits or self._limits
        target, deadline = parse_url(url), Deadline(limits.total_s)
        with ExitStack() as held:
            yield retrying(limits, deadline)(
                lambda: held.enter_context(self._opened(target, max_bytes, limits, deadline))
            )

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()

    @contextmanager
    def _opened(
        self, target: Target, max_bytes: int, limits: FetchLimits, deadline: Deadline
    ) -> Iterator[Download]:
        for _ in range(limits.redirects + 1):
            with (
                self._connections.lend(target, deadline) as connection,
                _requested(connection, target, limits, deadline) as response,
            ):
                answer = Answer.of(response)
                if answer.location is None:
                    require_picture(answer, target.shown)
                    chunks = _chunks(response, answer, target, max_bytes, limits, deadline)
                    yield Download(chunks, answer.modified_at, target.url)
                    return
            target = target.follow(answer.location)
        raise BadPicture(
            FailureReason.FETCH_FAILED, f"More than {limits.redirects} redirects lead to {target.shown}."
        )


@contextmanager
def _requested(
    connection: Connection, target: Target, limits: FetchLimits, deadline: Deadline
) -> Iterator[httpcore.Response]:
    connection.patience.allow(min(limits.first_byte_s, deadline.remaining_s()))
    slowness = f"did not answer within {limits.first_byte_s:g} s"
    with failures_named(target, limits, deadline, slowness):
        response = connection.request(target)
    try:
        connection.patience.allow(deadline.remaining_s(), silence_s=limits.first_byte_s)
        yield response
    finally:
        response.close()


def _chunks(
    response: httpcore.Response,
    answer: Answer,
    target: Target,
    max_bytes: int,
    limits: FetchLimits,
    deadline: Deadline,
) -> Iterator[bytes]:
    with failures_named(target, limits, deadline, f"fell silent for {limits.first_byte_s:g} s"):
        yield from read_body(response, answer, target.shown, max_bytes, limits)


def _read(download: Download) -> bytes:
    # One buffer: a body in a million chunks of a byte must not become a million objects.
    data = BytesIO()
    for chunk in download.chunks:
        data.write(chunk)
    return data.getvalue()
