"""No address that is not public is permitted, in whatever form it comes."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline_embedder.fetching.addresses import AddressPolicy

NOT_GLOBAL_V4 = st.one_of(
    st.ip_addresses(v=4),
    *(
        st.ip_addresses(network=network)
        for network in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
    ),
    *(
        st.ip_addresses(network=network)
        for network in ("172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4")
    ),
).filter(lambda address: not address.is_global or address.is_multicast)

HOLDING_V4 = {
    "mapped": lambda v4: (0xFFFF << 32) | v4,
    "compatible": lambda v4: v4,
    "6to4": lambda v4: (0x2002 << 112) | (v4 << 80) | 1,
    "teredo client": lambda v4: (0x20010000 << 96) | (0x5DB8D822 << 64) | (v4 ^ 0xFFFF_FFFF),
    "teredo server": lambda v4: (0x20010000 << 96) | (v4 << 64) | (0x5DB8D822 ^ 0xFFFF_FFFF),
    "nat64": lambda v4: (0x0064_FF9B << 96) | v4,
    "local nat64": lambda v4: (0x0064_FF9B_0001 << 80) | v4,
}


@given(st.ip_addresses().filter(lambda address: not address.is_global))
def test_what_is_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    assert not AddressPolicy().permits(address)


@pytest.mark.parametrize("form", HOLDING_V4)
@given(inner=NOT_GLOBAL_V4)
def test_ipv4_that_is_not_global_is_refused_inside_ipv6(form: str, inner: IPv4Address) -> None:
    address = IPv6Address(HOLDING_V4[form](int(inner)))
    assert not AddressPolicy().permits(address)


@given(st.ip_addresses(v=6).filter(lambda address: int(address) >> 125 != 1))
def test_ipv6_outside_of_global_unicast_is_refused(address: IPv6Address) -> None:
    nat64 = address in ip_network("64:ff9b::/96")
    assert nat64 or not AddressPolicy().permits(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.1.1",
        "239.255.255.255",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "ff0e::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
        "2001:2::1",
        "2001:10::1",
        "2002:5db8:d822::1",
        "5f00::1",
        "4000::1",
        "::ffff:93.184.216.34",
        "::ffff:0:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::a83f:8110",
        "64:ff9b:1::5db8:d822",
    ],
)
def test_special_addresses_are_refused(address: str) -> None:
    assert not AddressPolicy().permits(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "8.8.8.8",
        "172.32.0.1",
        "2606:2800:220:1::1",
        "2a00:1450:4001::1",
        "64:ff9b::5db8:d822",
    ],
)
def test_public_addresses_are_permitted(address: str) -> None:
    assert AddressPolicy().permits(ip_address(address))


def test_allowed_network_is_permitted_and_no_other() -> None:
    policy = AddressPolicy([ip_network("10.1.0.0/16"), ip_network("fd12::/16")])

    assert policy.permits(ip_address("10.1.2.3"))
    assert policy.permits(ip_address("fd12::1"))
    assert not policy.permits(ip_address("10.2.0.1"))
    assert not policy.permits(ip_address("::ffff:10.1.2.3"))
    assert not policy.permits(ip_address("fd13::1"))


def test_loopback_can_be_allowed() -> None:
    assert AddressPolicy([ip_network("::1/128")]).permits(ip_address("::1"))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
)
def test_metadata_service_is_not_allowed_by_the_way(address: str) -> None:
    everything = AddressPolicy([ip_network("0.0.0.0/0"), ip_network("::/0")])
    assert not everything.permits(ip_address(address))


def test_metadata_service_is_permitted_when_it_is_named() -> None:
    assert AddressPolicy([ip_network("169.254.169.254/32")]).permits(ip_address("169.254.169.254"))
