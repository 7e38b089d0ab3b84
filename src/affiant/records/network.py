"""Where a provider may live: its URL is checked when it is registered, so that no provider leads into the private network.

The gateway checks the address again when it connects (a name can be re-pointed). Leaves out: egress rules of the platform.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

Resolve = Callable[[str, int], list[str]]
_ADDRESS = ipaddress.IPv4Address | ipaddress.IPv6Address
_METADATA = frozenset({"169.254.169.254", "fd00:ec2::254", "100.100.100.200"})


def resolve_host(host: str, port: int) -> list[str]:
    """Addresses of a host name.

    Raises:
        OSError: it does not resolve.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(each[4][0]) for each in found})


def _plain(address: str) -> _ADDRESS:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return parsed.ipv4_mapped
    return parsed


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet; mapped, shared, reserved, multicast and link-local ones are not."""
    parsed = _plain(address)
    return parsed.is_global and not parsed.is_multicast


def url_fault(url: str, network: str, resolve: Resolve) -> str:
    """What is wrong with a provider's base URL, or "".

    Args:
        url: the base URL.
        network: `public`, or `private` where the provider is declared to live inside.
        resolve: how names become addresses.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL."
    if parts.scheme not in ("http", "https") or not host:
        return "must be an http or https URL with a host."
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password; give the credential as secret_ref."
    if parts.query or parts.fragment:
        return "must not hold a query or fragment."
    if parts.scheme == "http" and network != "private":
        return "must be https; plain http is for `network: private` only."
    try:
        addresses = resolve(host, port or (443 if parts.scheme == "https" else 80))
    except (OSError, UnicodeError):
        return (
            ""
            if network == "private"
            else f"host {host} does not resolve, so it cannot be shown to be public; check the name or the resolver."
        )
    for address in addresses:
        if str(_plain(address)) in _METADATA or _plain(address).is_link_local:
            return f"host {host} is {address}, an address of the machine's own platform; it can never be a provider."
        if network != "private" and not is_public(address):
            return f"host {host} is {address}, which is not public; declare `network: private` if that is meant."
    return ""
