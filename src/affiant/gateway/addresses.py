"""Which addresses a provider may have: a public provider a public one; a private one anything but link-local and the like.

Checked on the address that is connected to, so that a name that changes its answer between check and use gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from affiant.gateway.faults import LinkFault
from affiant.gateway.tables import Endpoint

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def allowed(text: str, private: bool) -> bool:
    """Whether a provider may be reached at this address."""
    address = _innermost(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return private or address.is_global


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return inner
    return address


async def addresses_of(endpoint: Endpoint) -> list[str]:
    """Addresses to try, allowed ones only.

    Raises:
        LinkFault: the name does not resolve, or only to addresses that are not allowed.
    """
    if not endpoint.private and endpoint.scheme != "https":
        raise LinkFault("address", "A public provider is reached over TLS only.")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LinkFault("connect", f"The provider's name does not resolve: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    good = [address for address in addresses if allowed(address, endpoint.private)]
    if not good:
        raise LinkFault("address", "The provider's name leads to an address that is not allowed for its network.")
    return good[:3]
