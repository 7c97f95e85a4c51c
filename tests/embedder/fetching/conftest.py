"""A site at a public address, and fetchers that see it."""

import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from hostile_site import PUBLIC, Names, Network, Site

from sightline_embedder.fetching import Fetcher, FetchLimits
from sightline_embedder.fetching.addresses import AddressPolicy
from sightline_embedder.fetching.resolving import Resolver

LIMITS = FetchLimits(redirects=3, attempts=2, backoff_s=0.01)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


@pytest.fixture
def names() -> Names:
    """`pictures.test` and `other.test` are names of the site."""
    return Names(pictures_test=[[PUBLIC]], other_test=[[PUBLIC]])


@pytest.fixture
def network(site: Site) -> Network:
    network = Network()
    network.ports[PUBLIC] = site.port
    return network


@pytest.fixture(scope="session")
def ssl_context() -> ssl.SSLContext:
    """What certificates are judged by; it takes long to load."""
    return ssl.create_default_context()


@pytest.fixture
def make_fetcher(
    names: Names, network: Network, ssl_context: ssl.SSLContext
) -> Iterator[Callable[..., Fetcher]]:
    """Make fetchers in that internet; `allowed` are networks as settings give them."""
    made: list[Fetcher] = []

    def make(
        *allowed: str,
        limits: FetchLimits = LIMITS,
        per_host: int = 2,
        resolver: Resolver = names,
        trusting: ssl.SSLContext = ssl_context,
    ) -> Fetcher:
        policy = AddressPolicy([ip_network(one) for one in allowed])
        fetcher = Fetcher(
            policy, limits, per_host=per_host, resolver=resolver, network=network, ssl_context=trusting
        )
        made.append(fetcher)
        return fetcher

    yield make
    for fetcher in made:
        fetcher.close()


@pytest.fixture
def fetcher(make_fetcher: Callable[..., Fetcher]) -> Fetcher:
    """A fetcher that reaches public addresses only and does not wait long before it tries again."""
    return make_fetcher()
