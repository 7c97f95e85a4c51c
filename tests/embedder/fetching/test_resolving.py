"""The system's resolver, made to end."""

import socket
from ipaddress import ip_address
from threading import Event

import pytest

from sightline_embedder.fetching.resolving import resolve


def test_gives_every_address_once() -> None:
    addresses = resolve("localhost", 5)
    assert ip_address("127.0.0.1") in addresses or ip_address("::1") in addresses
    assert len(set(addresses)) == len(addresses)


def test_name_without_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def has_none(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", has_none)
    with pytest.raises(socket.gaierror):
        resolve("nowhere.test", 5)


def test_look_up_that_hangs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()

    def hangs(*_: object, **__: object) -> list[object]:
        over.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    with pytest.raises(TimeoutError, match=r"slow\.test was not resolved within 0\.05 s"):
        resolve("slow.test", 0.05)
    over.set()
