"""Streams end with the patience of their connection, and leave no socket open."""

import ssl

import httpcore
import pytest
from hostile_site import Site

from sightline_embedder.fetching.network import Patience, TimedStream


@pytest.fixture
def patience() -> Patience:
    return Patience()


@pytest.fixture
def stream(site: Site, patience: Patience) -> TimedStream:
    return TimedStream(httpcore.SyncBackend().connect_tcp("127.0.0.1", site.port), patience)


def test_nothing_is_done_when_no_time_is_left(stream: TimedStream, patience: Patience) -> None:
    patience.allow(0)
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(1)
    with pytest.raises(httpcore.WriteTimeout):
        stream.write(b"a")
    stream.close()


def test_silence_is_shorter_than_the_whole(stream: TimedStream, patience: Patience) -> None:
    patience.allow(60, silence_s=0.05)
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(1)
    stream.close()


def test_socket_is_closed_when_no_time_is_left_for_tls(stream: TimedStream, patience: Patience) -> None:
    patience.allow(0)
    with pytest.raises(httpcore.ConnectTimeout):
        stream.start_tls(ssl.create_default_context(), "pictures.test")
    assert stream.get_extra_info("socket").fileno() == -1
