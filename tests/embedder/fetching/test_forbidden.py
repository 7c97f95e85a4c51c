"""Whatever a URL says, a redirect or a name resolves to: no forbidden address is ever connected to."""

import time
from collections.abc import Callable

import pytest
from hostile_site import PUBLIC, Names, Network, Site

from sightline.errors import BadPicture, FailureReason
from sightline.settings import Settings
from sightline_embedder.fetching import Fetcher

LIMIT = 100_000

HOSTILE_URLS = [
    # Other schemes.
    "file:///etc/passwd",
    "ftp://pictures.test/a.jpg",
    "gopher://pictures.test:6379/_FLUSHALL",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "dict://pictures.test:11211/stats",
    "unix:///var/run/docker.sock",
    "//pictures.test/a.jpg",
    "pictures.test/a.jpg",
    "http:pictures.test/a.jpg",
    "http:///a.jpg",
    "",
    # Credentials, and what looks like them.
    "http://user:password@pictures.test/",
    "http://user@pictures.test/",
    "http://pictures.test@127.0.0.1/",
    "http://pictures.test:80@127.0.0.1/",
    "http://127.0.0.1\\@pictures.test/",
    "http://127.0.0.1#@pictures.test/",
    "http://127.0.0.1?@pictures.test/",
    # IPv4 as it should be written.
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "http://127.255.255.254:8080/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://100.100.100.200/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    # IPv4 as it should not be written.
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://0x/",
    "http://127.0.0.1./",
    "http://127.0.0.1../",
    "http://127.000.000.001/",
    "http://00000000177.0.0.1/",
    "http://425.510.425.510/",
    "http://1.1.1.1.127.0.0.1/",
    "http://１２７.０.０.１/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.pictures.test/",
    "http://127.0.0.1%0d%0aX:.pictures.test/",
    "http://127.0.0.1\t/",
    "http:// 127.0.0.1/",
    "http://127.0.0.1 pictures.test/",
    # IPv6.
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:93.184.216.34]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:0:5db8:d822::80ff:fffe]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[2606:4700::1%eth0]/",
    "http://[fec0::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[::1/",
    "http://::1/",
    "http://[v1.127]/",
    # Names.
    "http://localhost/",
    "http://LOCALHOST./",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://metadata/",
    "http://redis:6379/",
    "http://private.test/",
    "http://loopback6.test/",
    "http://mapped.test/",
    "http://nat64.test/",
    "http://mixed.test/",
    "http://late.test/",
    "http://linklocal.test/",
    "http://-pictures.test/",
    "http://pictures..test/",
    "http://.pictures.test/",
    f"http://{'a' * 64}.test/",
    f"http://{'a.' * 127}test/",
    # Ports.
    "http://pictures.test:22/",
    "http://pictures.test:25/",
    "http://pictures.test:0/",
    "http://pictures.test:65536/",
    "http://pictures.test:-1/",
    "http://pictures.test:99999999999999999999/",
]


@pytest.fixture
def names(names: Names) -> Names:
    """Names that resolve to what is forbidden."""
    names.answers |= {
        "localhost": [["::1", "127.0.0.1"]],
        "metadata.google.internal": [["169.254.169.254"]],
        "metadata": [["169.254.169.254"]],
        "redis": [["172.18.0.3"]],
        "private.test": [["10.0.0.1"]],
        "loopback6.test": [["::1"]],
        "mapped.test": [["::ffff:127.0.0.1"]],
        "nat64.test": [["64:ff9b::7f00:1"]],
        "mixed.test": [[PUBLIC, "10.0.0.1"]],
        "late.test": [[PUBLIC] * 8 + ["127.0.0.1"]],
        "linklocal.test": [["fe80::1%eth0"]],
    }
    return names


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_url_is_refused_before_any_connection(
    url: str, fetcher: Fetcher, network: Network, site: Site
) -> None:
    begun = time.monotonic()

    assert reason_of(fetcher, url) is FailureReason.ADDRESS_FORBIDDEN

    assert network.tried == []
    assert site.connections == 0
    assert time.monotonic() - begun < 5


# Those that a redirect can carry, and does not mean as a path on the same host.
HOSTILE_LOCATIONS = [
    url for url in HOSTILE_URLS if "://" in url and url.isprintable() and url.isascii() and ":///a" not in url
]


@pytest.mark.parametrize("url", HOSTILE_LOCATIONS)
def test_redirect_to_a_hostile_url_is_refused(
    url: str, fetcher: Fetcher, network: Network, site: Site
) -> None:
    site.routes["/away"] = lambda visit: visit.answer(status="302 Found", Location=url)

    assert reason_of(fetcher, "http://pictures.test/away") is FailureReason.ADDRESS_FORBIDDEN

    assert network.tried == [PUBLIC]
    assert len(site.visits) == 1


def test_forbidden_address_behind_many_redirects(fetcher: Fetcher, network: Network, site: Site) -> None:
    site.routes["/1"] = lambda visit: visit.answer(status="301 Moved", Location="//other.test/2")
    site.routes["/2"] = lambda visit: visit.answer(status="307 Moved", Location="http://private.test/")

    with pytest.raises(BadPicture) as refused:
        fetcher.fetch("http://pictures.test/1", LIMIT)

    assert refused.value.reason is FailureReason.ADDRESS_FORBIDDEN
    assert set(network.tried) == {PUBLIC}
    assert "10.0.0.1" not in refused.value.detail


def test_answer_of_the_name_service_is_asked_for_once_and_used(
    fetcher: Fetcher, names: Names, network: Network, site: Site
) -> None:
    names.answers["rebinding.test"] = [[PUBLIC], ["127.0.0.1"]]
    site.routes["/a"] = lambda visit: visit.answer(b"a")

    assert fetcher.fetch("http://rebinding.test/a", LIMIT).data == b"a"

    assert names.asked["rebinding.test"] == 1
    assert network.tried == [PUBLIC]


def test_answer_that_changes_for_the_next_connection_is_checked_again(
    fetcher: Fetcher, names: Names, network: Network, site: Site
) -> None:
    names.answers["rebinding.test"] = [[PUBLIC], ["169.254.169.254"]]
    site.routes["/a"] = lambda visit: visit.answer(b"a", length=1)

    fetcher.fetch("http://rebinding.test/a", LIMIT)

    assert reason_of(fetcher, "http://rebinding.test/a") is FailureReason.ADDRESS_FORBIDDEN
    assert network.tried == [PUBLIC]


def test_answer_that_changes_for_a_retry_is_checked_again(
    fetcher: Fetcher, names: Names, network: Network, site: Site
) -> None:
    names.answers["rebinding.test"] = [[PUBLIC], ["127.0.0.1"]]
    site.routes["/a"] = lambda visit: visit.answer(status="503 Busy", length=0)

    assert reason_of(fetcher, "http://rebinding.test/a") is FailureReason.ADDRESS_FORBIDDEN
    assert network.tried == [PUBLIC]


def test_allowed_network_is_reached(
    make_fetcher: Callable[..., Fetcher], names: Names, network: Network, site: Site
) -> None:
    network.ports["10.1.2.3"] = site.port
    names.answers["intranet.test"] = [["10.1.2.3"]]
    site.routes["/a"] = lambda visit: visit.answer(b"a")
    fetcher = make_fetcher("10.1.0.0/16")

    assert fetcher.fetch("http://intranet.test/a", LIMIT).data == b"a"
    assert reason_of(fetcher, "http://private.test/a") is FailureReason.ADDRESS_FORBIDDEN
    assert network.tried == ["10.1.2.3"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_real_sockets_and_names_are_refused_by_default(host: str, site: Site) -> None:
    fetcher = Fetcher.of(Settings())

    assert reason_of(fetcher, f"http://{host}:{site.port}/") is FailureReason.ADDRESS_FORBIDDEN
    assert site.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_real_sockets_and_names_are_used_where_settings_allow(
    host: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_FETCH_ALLOWED_NETWORKS", '["127.0.0.0/8", "::1/128"]')
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.routes["/a"] = lambda visit: visit.answer(b"a")
    fetcher = Fetcher.of(Settings())

    fetched = fetcher.fetch(f"http://{host}:{site.port}/a", LIMIT)

    fetcher.close()
    assert fetched.data == b"a"


def reason_of(fetcher: Fetcher, url: str) -> FailureReason:
    with pytest.raises(BadPicture) as refused:
        fetcher.fetch(url, LIMIT)
    return refused.value.reason
