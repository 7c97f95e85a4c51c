"""What is checked before a stack is started."""

import socket
from collections.abc import Iterator

import pytest

from sightline_local.errors import StartError
from sightline_local.running import check_port


@pytest.fixture
def six() -> Iterator[socket.socket]:
    """A socket that listens on the loopback address of IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
            yield taken
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_a_port_taken_in_ipv6_is_said(six: socket.socket) -> None:
    port = six.getsockname()[1]
    for host in ("::1", "::"):
        with pytest.raises(StartError, match=f"Port {port} on {host} cannot be used"):
            check_port(host, port)


@pytest.mark.usefixtures("six")
def test_a_port_taken_in_ipv4_alone_can_be_served_in_ipv6() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        check_port("::", taken.getsockname()[1])
