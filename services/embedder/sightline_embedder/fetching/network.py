"""The one way out: every connection is to an address that was checked, every wait has an end."""

import math
import socket
import ssl
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from time import monotonic
from typing import Any

import structlog
from httpcore import (
    SOCKET_OPTION,
    ConnectError,
    ConnectTimeout,
    NetworkBackend,
    NetworkStream,
    ReadTimeout,
    TimeoutException,
    WriteTimeout,
)

from sightline_embedder.fetching.addresses import AddressPolicy, IPAddress
from sightline_embedder.fetching.resolving import Resolver

_log = structlog.get_logger(__name__)

_ADDRESSES_TRIED = 4


class ForbiddenAddress(Exception):
    """A host has an address that may not be connected to."""


class Patience:
    """How long the next operation on a connection may take; each request sets it anew.

    It is asked before every single read, so that neither headers nor a body that drip in byte by byte
    outlast it.
    """

    def __init__(self) -> None:
        self._end = math.inf
        self._silence_s = math.inf

    def allow(self, seconds: float, silence_s: float = math.inf) -> None:
        """From now on, `seconds` for all operations together and `silence_s` for each."""
        self._end = monotonic() + seconds
        self._silence_s = silence_s

    def next_s(self, exhausted: type[TimeoutException]) -> float:
        """Seconds for the next operation; raises `exhausted` when none are left."""
        seconds = min(self._end - monotonic(), self._silence_s)
        if seconds <= 0:
            raise exhausted
        return seconds


class CheckedNetwork(NetworkBackend):
    """Connects to a host at the very address that was looked up and checked.

    The name is resolved once for a connection, so that there is no second answer to differ from the one
    that was checked. One forbidden address among several refuses the host: whoever mixes them is aiming
    at the private one, and which would be connected to depends on what fails. TLS and the header Host stay
    with the name, as they belong to the layers above.
    """

    def __init__(
        self, policy: AddressPolicy, resolver: Resolver, network: NetworkBackend, patience: Patience
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._network = network
        self._patience = patience

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """As the base class says, within the patience; raises ForbiddenAddress and socket.gaierror too."""
        failure: ConnectError | ConnectTimeout | None = None
        addresses = self._addresses(host)[:_ADDRESSES_TRIED]
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                wait_s = self._patience.next_s(ConnectTimeout) / left
                stream = self._network.connect_tcp(str(address), port, wait_s, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as error:
                failure = error
            else:
                return TimedStream(stream, self._patience)
        raise failure or socket.gaierror(socket.EAI_NONAME, "no address")

    def _addresses(self, host: str) -> Sequence[IPAddress]:
        try:
            addresses: Sequence[IPAddress] = [ip_address(host)]
        except ValueError:
            try:
                addresses = self._resolver(host, self._patience.next_s(ConnectTimeout))
            except TimeoutError as error:
                raise ConnectTimeout(str(error)) from error
        for address in addresses:
            if not self._policy.permits(address):
                # The operator is told; who wrote the URL is not, who could map a network that way.
                _log.info("address_forbidden", host=host, address=str(address))
                raise ForbiddenAddress(host)
        return addresses


class TimedStream(NetworkStream):
    """A stream whose operations end with the patience of its connection."""

    def __init__(self, stream: NetworkStream, patience: Patience) -> None:
        self._stream = stream
        self._patience = patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Up to `max_bytes`; raises httpcore.ReadTimeout."""
        return self._stream.read(max_bytes, self._patience.next_s(ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """All of `buffer`; raises httpcore.WriteTimeout."""
        self._stream.write(buffer, self._patience.next_s(WriteTimeout))

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> NetworkStream:
        """The stream within TLS; raises httpcore.ConnectTimeout."""
        try:
            wait_s = self._patience.next_s(ConnectTimeout)
            return TimedStream(self._stream.start_tls(ssl_context, server_hostname, wait_s), self._patience)
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """What the socket knows."""
        return self._stream.get_extra_info(info)
