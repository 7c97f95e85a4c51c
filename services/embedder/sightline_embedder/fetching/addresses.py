"""Which IP addresses may be connected to."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_METADATA = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
"""Where clouds tell a machine its secrets. One of them is a public address."""

_IPV4_SPECIAL = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
"""IANA's special-purpose registry of IPv4, multicast and reserved space. Versions of `ipaddress` differ."""

_IPV6_UNICAST = IPv6Network("2000::/3")
"""All that is given to the public internet; loopback, private, site-local and the rest lie outside."""

_IPV6_SPECIAL = tuple(
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
"""Teredo, benchmarks, ORCHID; documentation; 6to4; AS112; documentation."""

_IPV4_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")


class AddressPolicy:
    """Public addresses and the networks an operator allows; nothing else."""

    def __init__(self, allowed: Sequence[IPNetwork] = ()) -> None:
        self._allowed = tuple(allowed)

    def permits(self, address: IPAddress) -> bool:
        """Whether `address` may be connected to.

        An IPv6 address that holds an IPv4 address is judged by both: through the NAT64 prefix that
        IPv6-only networks reach the public internet by, nothing private can be reached. The metadata
        service of a cloud is permitted only where a network of that one address is allowed, not by a
        larger one that happens to contain it.
        """
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False
        return all(self._permits_itself(one) for one in (address, *_embedded(address)))

    def _permits_itself(self, address: IPAddress) -> bool:
        allowing = [network for network in self._allowed if address in network]
        if address in _METADATA:
            return any(network.num_addresses == 1 for network in allowing)
        return bool(allowing) or _is_public(address)


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _IPV4_SPECIAL)
    if address in _NAT64:
        return True
    return (
        address.is_global
        and address in _IPV6_UNICAST
        and not any(address in network for network in _IPV6_SPECIAL)
    )


def _embedded(address: IPAddress) -> Iterator[IPv4Address]:
    """IPv4 addresses that an IPv6 address leads to (RFC 4291, 3056, 4380, 6052, 8215)."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    compatible = address in _IPV4_COMPATIBLE and not (address.is_loopback or address.is_unspecified)
    if compatible or address in _NAT64 or address in _NAT64_LOCAL:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
