"""`SimulatedNetwork`: hosts with addresses, and the paths between them.

In:  where things are and how good the way is: latency, jitter, bandwidth, life of connections; partitions
and cuts.
Out: when and whether what one host sends reaches another. `warren.runtime.simulated.link` sends over it.

The model is that of TCP as a program sees it: order is kept, nothing is lost or doubled on a connection
that lives. In a partition packets vanish: connections stall and catch up after it heals, and dials time
out. `cut` and short lives break connections, with a reset on both sides. Multicast reaches the hosts of the
same segment that no partition parts, at the moment.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import random
import struct
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from warren.runtime.simulated.link import LinkEnd
    from warren.runtime.simulated.loop import VirtualLoop
    from warren.runtime.simulated.transport import SimulatedListener

_FIRST_EPHEMERAL_PORT = 49152
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_UNSPECIFIED = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - a name for "any", nothing listens here


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a path is, in one direction.

    latency_s: seconds from one end to the other.
    jitter_s: up to this much more, drawn anew for each piece; order is kept all the same.
    bytes_per_s: what fits through, shared by all connections on the path; None means no limit.
    mean_life_s: connections break after this long on average (exponentially distributed); None means never.
    window_bytes: what one connection may have under way or waiting at a paused reader, as TCP's window.
    """

    latency_s: float = 0.01
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    mean_life_s: float | None = None
    window_bytes: int = 4 * 1024 * 1024


class Pipe:
    """A stretch that passes so many bytes a second, one piece after another.

    Pieces are announced before they are there, maybe not in their order: one does not wait for those that
    are there later.
    """

    __slots__ = ("_at", "_bytes_per_s", "_waiting_bytes")

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._at = self._waiting_bytes = 0.0

    def pass_through(self, ready_at: float, size: int) -> float:
        """Return when a piece that is there at `ready_at` has passed."""
        passed = max(0.0, ready_at - self._at) * self._bytes_per_s
        self._at = max(self._at, ready_at)
        self._waiting_bytes = max(0.0, self._waiting_bytes - passed) + size
        return ready_at + self._waiting_bytes / self._bytes_per_s


class Path:
    """The way from one host to another; the way back is another path."""

    __slots__ = (
        "_chance",
        "_seed",
        "blocked",
        "dst",
        "ends",
        "jitter_s",
        "latency_s",
        "loop",
        "pipes",
        "quality",
        "src",
        "stalled",
        "void",
    )

    def __init__(self, loop: VirtualLoop, src: Host, dst: Host, seed: object) -> None:
        self.loop = loop
        self.src = src
        self.dst = dst
        self._seed = seed
        self._chance: random.Random | None = None
        self.blocked = False
        self.void = False
        """A machine at its end is off: what is sent vanishes for good."""
        self.stalled: list[tuple[Callable[[Any], object], Any]] = []
        # The sending ends of the links on this path.
        self.ends: list[LinkEnd] = []
        self.quality = Quality()
        self.latency_s = 0.0
        self.jitter_s = 0.0
        self.pipes: tuple[Pipe, ...] = ()

    def set_quality(self, quality: Quality, own: Pipe | None) -> None:
        self.quality = quality
        is_local = self.src is self.dst
        self.latency_s = 0.0 if is_local else quality.latency_s
        self.jitter_s = 0.0 if is_local else quality.jitter_s
        self.pipes = () if is_local else tuple(p for p in (self.src.uplink, own, self.dst.downlink) if p)

    @property
    def chance(self) -> random.Random:
        """The path's own chance; most paths never need it, and its state is of 2.5 KiB."""
        if self._chance is None:
            self._chance = random.Random(f"{self._seed}/path/{self.src.name}/{self.dst.name}")  # noqa: S311 - it must be foreseeable
        return self._chance

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on it, nor would one made anew differ from it."""
        is_fresh = self._chance is None and not self.pipes
        return is_fresh and not (self.ends or self.stalled)

    def delay_s(self) -> float:
        """Return how long the next piece takes."""
        if self.jitter_s:
            return self.latency_s + self.chance.random() * self.jitter_s
        return self.latency_s

    def carry(self, fn: Callable[[Any], object], argument: Any) -> None:
        """Call `fn(argument)` at the far host once a small packet has got there."""
        self.loop.at(self.loop.now + self.delay_s(), self._arrive, (fn, argument))

    def cast(self, fn: Callable[[Any], object], argument: Any) -> None:
        """The same for a datagram: who is parted when it is sent or would arrive never gets it."""
        if not self.blocked:
            self.loop.at(self.loop.now + self.delay_s(), self._land, (fn, argument))

    def _land(self, datagram: tuple[Callable[[Any], object], Any]) -> None:
        if not self.blocked:
            datagram[0](datagram[1])

    def _arrive(self, packet: tuple[Callable[[Any], object], Any]) -> None:
        if self.void:
            return
        if self.blocked:
            self.stalled.append(packet)
        else:
            packet[0](packet[1])

    def block(self) -> None:
        self.blocked = True

    def unblock(self) -> None:
        """Send again what vanished, as TCP would."""
        self.blocked = False
        stalled, self.stalled = self.stalled, []
        for packet in stalled:
            self.loop.at(self.loop.now + self.latency_s, self._arrive, packet)


class Host:
    """A machine: its addresses, listeners and access line.

    Its name and addresses outlive the node that runs on it.
    """

    __slots__ = ("_ports", "addresses", "downlink", "ears", "listeners", "name", "number", "uplink")

    def __init__(self, name: str, number: int, addresses: Sequence[str]) -> None:
        self.name = name
        self.number = number
        self.addresses = tuple(addresses)
        self.listeners: dict[tuple[str, int], SimulatedListener] = {}
        self.ears: list[Callable[[Any], object]] = []
        """Who wants to hear what is said on the local links."""
        self.uplink: Pipe | None = None
        self.downlink: Pipe | None = None
        self._ports = count(_FIRST_EPHEMERAL_PORT)

    def overhear(self, what: object) -> None:
        """Something was said on a local link."""
        for ear in list(self.ears):
            ear(what)

    def free_port(self) -> int:
        # One number per connection, never reused: two runs differ in nothing, and no peer meets an old port
        # again.
        return _FIRST_EPHEMERAL_PORT + (next(self._ports) - _FIRST_EPHEMERAL_PORT) % 16384

    def address(self, version: int) -> str:
        """Return the address that this host dials from."""
        for address in self.addresses:
            if _version(address) == version:
                return address
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    def may_bind(self, address: str, version: int) -> bool:
        return address in (*self.addresses, _LOOPBACK[version], _UNSPECIFIED[version])

    def listener_at(self, address: str, port: int) -> SimulatedListener | None:
        anywhere = _UNSPECIFIED[_version(address)]
        return self.listeners.get((address, port)) or self.listeners.get((anywhere, port))


class SimulatedNetwork:
    """All hosts of one world. Hosts are named as in `World.runtime`."""

    def __init__(self, loop: VirtualLoop, seed: object) -> None:
        self.names: dict[str, list[str]] = {}
        self.texts: dict[str, list[bytes]] = {}
        """TXT records, by name."""
        self.deliveries = 0
        self.delivered_bytes = 0
        self._loop = loop
        self._seed = seed
        self._hosts: dict[str, Host] = {}
        self._by_address: dict[str, Host] = {}
        self._paths: dict[tuple[int, int], Path] = {}
        self._default = Quality()
        self._qualities: dict[tuple[int, int], Quality] = {}
        self._groups: dict[str, int] | None = None
        self._segments: dict[str, tuple[str, ...]] = {}
        self._off: set[Host] = set()
        self._trace = blake2b(digest_size=16)

    # ------------------------------------------------------------ hosts and names

    def add_host(self, name: str, addresses: Sequence[str]) -> Host:
        """Put a host on the network. Without addresses it gets one of IPv4 and one of IPv6."""
        number = len(self._hosts) + 1
        given = [str(ipaddress.ip_address(a)) for a in addresses] or _addresses(number)
        for address in given:
            if address in self._by_address:
                raise ValueError(f"{address} belongs to host {self._by_address[address].name}")
        host = Host(name, number, given)
        self._hosts[name] = host
        self._by_address.update(dict.fromkeys(given, host))
        return host

    def host(self, name: str) -> Host:
        return self._hosts[name]

    def host_at(self, address: str, seen_from: Host) -> Host | None:
        if address in _LOOPBACK.values():
            return seen_from
        host = self._by_address.get(address)
        return None if host in self._off else host

    def look_up(self, name: str) -> list[str]:
        """Return the addresses of a name: one in `names`, a host's own, localhost or an address as it is."""
        if name in self.names:
            return self.names[name]
        if name in self._hosts:
            return list(self._hosts[name].addresses)
        if name == "localhost":
            return list(_LOOPBACK.values())
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            return []

    def path(self, src: Host, dst: Host) -> Path:
        key = (src.number, dst.number)
        path = self._paths.get(key)
        if path is None:
            path = self._paths[key] = Path(self._loop, src, dst, self._seed)
            self._apply_quality(path)
            path.blocked = self._is_parted(path)
            path.void = src in self._off or dst in self._off
        return path

    # ------------------------------------------------------------ local links

    def set_segment(self, segment: str, names: Iterable[str]) -> None:
        """Put hosts on one local link, where they hear each other's multicast; a host may be on several.

        Hosts on none hear themselves only. The latency between two hosts stays that of their path.
        """
        self._segments[segment] = tuple(self._hosts[name].name for name in names)

    def hosts_on_link_with(self, host: Host) -> list[Host]:
        """Return whom the multicast of a host reaches; itself first."""
        names = [host.name]
        for hosts in self._segments.values():
            names += hosts if host.name in hosts else ()
        return [self._hosts[name] for name in dict.fromkeys(names)]

    def release(self, path: Path) -> None:
        """Forget a path and the way back when nothing goes over them: each host meets thousands of others.

        Both, because what is still under way on one concerns the ends on the other.
        """
        src, dst = path.src.number, path.dst.number
        there, back = self._paths.get((src, dst)), self._paths.get((dst, src))
        if all(way is None or way.is_idle for way in (there, back)):
            self._paths.pop((src, dst), None)
            self._paths.pop((dst, src), None)

    # ------------------------------------------------------------ quality

    def set_default(self, quality: Quality) -> None:
        """Set what every path is like that was not set by itself."""
        self._default = quality
        for path in self._paths.values():
            self._apply_quality(path)

    def set_path(self, a: str, b: str, quality: Quality) -> None:
        """Set what the paths between two hosts are like, both ways."""
        one, other = self._hosts[a], self._hosts[b]
        for src, dst in ((one, other), (other, one)):
            self._qualities[src.number, dst.number] = quality
            self._apply_quality(self.path(src, dst))

    def set_access(
        self, name: str, *, up_bytes_per_s: float | None = None, down_bytes_per_s: float | None = None
    ) -> None:
        """Limit a host's own line, which all its connections share; None lifts a limit."""
        host = self._hosts[name]
        host.uplink = Pipe(up_bytes_per_s) if up_bytes_per_s else None
        host.downlink = Pipe(down_bytes_per_s) if down_bytes_per_s else None
        for path in self._paths.values():
            if host in (path.src, path.dst):
                self._apply_quality(path)

    def _apply_quality(self, path: Path) -> None:
        quality = self._qualities.get((path.src.number, path.dst.number), self._default)
        path.set_quality(quality, Pipe(quality.bytes_per_s) if quality.bytes_per_s else None)

    # ------------------------------------------------------------ faults

    def partition(self, groups: Iterable[Iterable[str]]) -> None:
        """Let packets pass within each group only. Hosts that are in no group form one of their own."""
        self._groups = {name: number for number, group in enumerate(groups) for name in group}
        unknown = self._groups.keys() - self._hosts.keys()
        if unknown:
            raise KeyError(f"no such hosts: {sorted(unknown)}")
        self._apply_partition()

    def heal(self) -> None:
        """End the partition: what stalled goes on, one latency later."""
        self._groups = None
        self._apply_partition()

    def cut(self, a: str, b: str) -> int:
        """Break every connection between two hosts, at once and on both sides; return how many there were."""
        one, other = self._hosts[a], self._hosts[b]
        ends = [*self.path(one, other).ends, *self.path(other, one).ends]
        broken = 0
        for end in ends:
            broken += end.cut()
        return broken

    def crash(self, name: str) -> None:
        """End what runs on a host as its system ends a killed program: it resets all, and nobody listens."""
        host = self._hosts[name]
        for listener in list(host.listeners.values()):
            listener.close()
        for path in self._paths_of(host):
            for end in list(path.ends):
                end.cut()

    def switch_off(self, name: str) -> None:
        """Take a machine off without a word: it knows no connection any more, and nothing answers for it."""
        host = self._hosts[name]
        self._off.add(host)
        for path in self._paths_of(host):
            path.void = True
            if path.src is host:
                for end in list(path.ends):
                    end.lose(OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN)))

    def switch_on(self, name: str) -> None:
        """Put a machine back; who still sends on an old connection is told that it is void."""
        host = self._hosts[name]
        self._off.discard(host)
        for path in self._paths_of(host):
            path.void = path.src in self._off or path.dst in self._off

    def _paths_of(self, host: Host) -> list[Path]:
        return [path for path in self._paths.values() if host in (path.src, path.dst)]

    def _apply_partition(self) -> None:
        for path in list(self._paths.values()):
            parted = self._is_parted(path)
            if parted and not path.blocked:
                path.block()
            elif path.blocked and not parted:
                path.unblock()

    def _is_parted(self, path: Path) -> bool:
        groups = self._groups
        return groups is not None and groups.get(path.src.name) != groups.get(path.dst.name)

    # ------------------------------------------------------------ trace

    def record(self, src: Host, dst: Host, data: bytes) -> None:
        """Add a delivery to the trace."""
        self.deliveries += 1
        self.delivered_bytes += len(data)
        self._trace.update(_RECORD(self._loop.now, src.number, dst.number, crc32(data)))

    def trace_digest(self) -> str:
        """Return a digest of all deliveries so far: their times, ends and bytes, in order."""
        return self._trace.hexdigest()


def _version(address: str) -> int:
    return 6 if ":" in address else 4


_RECORD = struct.Struct("<dIII").pack


def _addresses(number: int) -> list[str]:
    """Return global addresses, so that nodes treat each other as being far away."""
    return [
        str(ipaddress.IPv4Address((100 << 24) + number)),
        str(ipaddress.IPv6Address((0x2A00 << 112) + number)),
    ]
