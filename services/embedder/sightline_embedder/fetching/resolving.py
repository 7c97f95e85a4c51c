"""From a host's name to its addresses, in bounded time."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from sightline_embedder.fetching.addresses import IPAddress


class Resolver(Protocol):
    """Looks names up."""

    def __call__(self, host: str, timeout_s: float, /) -> Sequence[IPAddress]:
        """Every address of `host`, the preferred first.

        Raises socket.gaierror when it has none, and TimeoutError after `timeout_s` seconds.
        """


def resolve(host: str, timeout_s: float, /) -> Sequence[IPAddress]:
    """Ask the system's resolver, as Resolver says."""
    answers: SimpleQueue[Sequence[IPAddress] | OSError] = SimpleQueue()
    # In a thread: the system's resolver takes no time limit. One that hangs ends by its own.
    Thread(target=lambda: answers.put(_look_up(host)), name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        raise TimeoutError(f"{host} was not resolved within {timeout_s:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _look_up(host: str) -> Sequence[IPAddress] | OSError:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    return tuple(dict.fromkeys(ip_address(address[0]) for *_, address in found))
