"""The numeric addresses of this machine's own interfaces.

In:  what Linux writes under /proc/net; elsewhere the address that the system would send from.
Out: numeric addresses, IPv4 first, loopback included, IPv6 link-local left out (they mean nothing without a
zone). Quick, and it never waits for a name server.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from pathlib import Path

_LOCAL_IPV4 = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")
# Documentation addresses: choosing the source of a datagram to them sends nothing.
_FAR_AWAY = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def interface_addresses(proc: Path = Path("/proc/net")) -> list[str]:
    """The addresses; only some of them where the system lists none."""
    found = _listed_ipv4(proc) + _listed_ipv6(proc)
    if not found:
        found = ["127.0.0.1", *(_source(*far) for far in _FAR_AWAY)]
    return [one for one in dict.fromkeys(found) if one and not ipaddress.ip_address(one).is_unspecified]


def _listed_ipv4(proc: Path) -> list[str]:
    """From the routing table: the addresses that are delivered here."""
    with contextlib.suppress(OSError):
        return _LOCAL_IPV4.findall((proc / "fib_trie").read_text("ascii"))
    return []


def _listed_ipv6(proc: Path) -> list[str]:
    with contextlib.suppress(OSError):
        digits = (line.split()[0] for line in (proc / "if_inet6").read_text("ascii").splitlines())
        addresses = (ipaddress.IPv6Address(int(one, 16)) for one in digits)
        return [str(one) for one in addresses if not one.is_link_local]
    return []


def _source(family: socket.AddressFamily, far: str) -> str:
    """The address from which `far` would be spoken to; "" if there is no way."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((far, 9))
        return str(sock.getsockname()[0])
    return ""
