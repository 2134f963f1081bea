"""The IP that a host is, as a socket names it. Values only.

In:  text, with an IPv6 zone or without. Out: the address, one mapped into IPv6 as the IPv4 that it is; None
for a name.
"""

from __future__ import annotations

import ipaddress


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """See the module."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip
