"""TXT records from the name servers, which the system's own resolver does not tell.

In:  a DNS name, and whom to ask (by default whom the system is configured to ask). Out: the records, or an
`OSError`. It blocks: call it in a thread. Refuses names that DNS cannot hold.
https://www.rfc-editor.org/rfc/rfc1035#section-3.3.14
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# For all servers and repetitions of one look-up together.
LOOK_UP_S = 10.0
# Attack: the owner of a name that we were given fills memory. A zone has a handful of bootstrap peers.
RECORDS_MAX = 256


def look_up_txt(name: str, servers: Sequence[tuple[str, int]] = ()) -> list[bytes]:
    """The TXT records of `name`. Raises `OSError` (`gaierror` where there are none, `TimeoutError`)."""
    # A tenth of a second to import, which only those pay who look something up.
    import dns.exception  # noqa: PLC0415
    import dns.nameserver  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    try:
        resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(*one) for one in servers]
        answer = resolver.resolve(name, "TXT", lifetime=LOOK_UP_S, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
        raise socket.gaierror(socket.EAI_NONAME, f"no TXT record for {name}") from error
    except dns.exception.Timeout as error:
        raise TimeoutError(errno.ETIMEDOUT, f"no name server answers for {name}") from error
    except dns.exception.DNSException as error:
        raise OSError(errno.EIO, f"looking up {name} failed: {error}") from error
    return [b"".join(record.strings) for record in answer][:RECORDS_MAX]
