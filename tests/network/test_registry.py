"""The map of sockets, with sockets that do as they are told: which one is used, which stays, which goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.network.fakes import Clock
from warren.core.errors import Blocked, HandshakeFailed, LimitReached, ProtocolViolation
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig
from warren.network.events import EventBus, PeerConnected, PeerDisconnected, SocketMoved, SocketRefused
from warren.network.registry import SWEEP_BUSY_S, SWEEP_IDLE_S, SocketRegistry
from warren.network.states import USABLE, SocketState

IDS = sorted(PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in range(1, 5))
LOW, HIGH, OTHER, FOURTH = IDS
S = SocketState


class FakeStream:
    """A stream that has not agreed on a protocol."""

    was_reset = False
    unsent_bytes = 0

    def reset(self) -> None:
        self.was_reset = True


class FakeSocket:
    """What the registry looks at, and what it does to a socket."""

    def __init__(self, bench: Bench, *, outbound: bool = False, host: str = "10.0.0.1") -> None:
        self._bench = bench
        self.outbound = outbound
        self.direction = "outbound" if outbound else "inbound"
        self.bytes_in = self.bytes_out = 0
        self.remote_addr = Multiaddr.tcp(host, 4101)
        self.peer_id = OTHER
        self.state = S.OPENING
        self.authenticated = False
        self.proven = True
        self.kept = False
        self.draining = False
        self.other_end: FakeSocket | None = None
        self.streams = 0
        self.activity = 0
        self.rtt_s: float | None = 0.1
        self.opened_at = self.last_read_at = bench.clock.now
        self.error: Exception | None = None
        self.ended: list[str] = []
        self.waiting: list[FakeStream] = []

    @property
    def usable(self) -> bool:
        told_goodbye = self.other_end is not None and self.other_end.draining
        return self.state in USABLE and not self.draining and not told_goodbye

    def why_unusable(self) -> str:
        return f"is {self.state.value}"

    def waiting_streams(self) -> list[FakeStream]:
        return self.waiting

    def let_go(self) -> None:
        self.ended.append("let go")

    def move(self, new: SocketState) -> None:
        old, self.state = self.state, new
        self._bench.registry.on_moved(self, old, new)

    def connect(self) -> FakeSocket:
        """Live up to `open`."""
        if self.state is S.OPENING:
            self.move(S.CONNECTING)
        self.move(S.AUTHENTICATING)
        self.authenticated = True
        self.move(S.AUTHENTICATED)
        self.move(S.CONNECTED)
        self.move(S.OPEN)
        return self

    def drain(self) -> None:
        self.draining = True

    def shut(self, error: Exception, _code: int | None) -> None:
        self.error = self.error or error
        self.ended.append(str(error))
        self.move(S.CLOSING)

    def abort(self, error: Exception | None = None) -> None:
        if self.state is not S.CLOSING:
            self.shut(error or Exception(), None)
        elif error is not None:
            self.ended.append(str(error))
        self.gone()

    def gone(self) -> None:
        self.move(S.CLOSED)


class Bench:
    """A registry with a clock, and everything that it told."""

    registry: Any

    def __init__(self, own: Any = LOW, **settings: Any) -> None:
        self.clock = Clock()
        self.events = EventBus()
        self.told = self.events.subscribe()
        self.registry = SocketRegistry(own, NetworkConfig(**settings), self.events, self.clock)

    def outbound(self, peer: Any = OTHER) -> FakeSocket:
        socket = FakeSocket(self, outbound=True)
        socket.peer_id = peer
        self.registry.limits.admit_outbound()
        self.registry.add(socket)
        return socket

    def inbound(self, peer: Any = OTHER, host: str = "10.0.0.1") -> FakeSocket:
        socket = FakeSocket(self, host=host)
        socket.peer_id = peer
        socket.state = S.CONNECTING
        self.registry.admit(socket, socket.remote_addr)
        return socket

    def heard(self, *kinds: type) -> list[Any]:
        found = [event for event in self.told._inbox.queue if isinstance(event, kinds)]
        self.told._inbox.queue.clear()
        return found

    def sweep(self, seconds: float) -> Any:
        self.clock.now += seconds
        return self.registry.sweep(self.clock.now)


# ---------------------------------------------------------------- the map


def test_a_peer_is_connected_from_its_first_socket_to_its_last() -> None:
    bench = Bench()
    assert bench.registry.peers() == []
    one = bench.outbound().connect()
    two = bench.inbound().connect()
    assert bench.registry.peers() == [OTHER]
    assert bench.registry.sockets(OTHER) == bench.registry.sockets(None) == [one, two]
    assert bench.heard(PeerConnected, PeerDisconnected) == [PeerConnected(OTHER)]
    one.abort()
    assert bench.heard(PeerConnected, PeerDisconnected) == []
    two.error = ProtocolViolation("nonsense")
    two.abort()
    assert bench.heard(PeerConnected, PeerDisconnected) == [PeerDisconnected(OTHER, "nonsense")]
    assert bench.registry.sockets(OTHER) == bench.registry.all() == []


def test_a_socket_counts_for_its_peer_only_once_streams_flow() -> None:
    bench = Bench()
    socket = bench.inbound()
    assert bench.registry.all() == [socket]
    assert bench.registry.sockets(None) == []
    socket.move(S.AUTHENTICATING)
    socket.authenticated = True
    socket.move(S.AUTHENTICATED)
    assert bench.registry.peers() == []
    socket.move(S.CONNECTED)
    assert bench.registry.best(OTHER) is socket


def test_every_move_is_told_while_somebody_listens() -> None:
    bench = Bench()
    socket = bench.outbound()
    socket.move(S.CONNECTING)
    [moved] = bench.heard(SocketMoved)
    assert (moved.socket, moved.old, moved.new) == (socket, S.OPENING, S.CONNECTING)
    bench.told.close()
    socket.move(S.AUTHENTICATING)
    assert not bench.told._inbox.queue


def test_the_best_socket_is_proven_takes_streams_and_is_the_fastest() -> None:
    bench = Bench()
    slow, fast, unproven, draining = (bench.outbound().connect() for _ in range(4))
    slow.rtt_s, fast.rtt_s = 0.5, 0.1
    unproven.rtt_s = draining.rtt_s = 0.0
    unproven.proven = False
    draining.draining = True
    assert bench.registry.best(OTHER) is fast
    fast.rtt_s = None
    assert bench.registry.best(OTHER) is fast
    fast.abort()
    assert bench.registry.best(OTHER) is slow
    slow.abort()
    assert bench.registry.best(OTHER) is None
    assert bench.registry.best(HIGH) is None


def test_every_connected_peer_has_a_socket_to_use_or_a_reason() -> None:
    bench = Bench()
    used, unproven, leaving = (bench.outbound(peer).connect() for peer in (OTHER, HIGH, FOURTH))
    unproven.proven = False
    leaving.state = S.CLOSING
    sockets, unusable = bench.registry.best_of_all()
    assert sockets == [used]
    assert unusable == {HIGH: "the connection is open", FOURTH: "the connection is closing"}


# ---------------------------------------------------------------- limits


def test_what_was_counted_is_given_back_whenever_a_socket_ends() -> None:
    for stage in ("newcomer", "authenticated", "open"):
        bench = Bench()
        sockets = [bench.inbound(), bench.outbound()]
        for socket in sockets:
            if stage == "open":
                socket.connect()
            elif stage == "authenticated":
                socket.authenticated = True
                socket.move(S.AUTHENTICATED)
        limits = bench.registry.limits
        assert (limits.inbound, limits.outbound) == (1, 1)
        assert limits.handshakes == (stage == "newcomer")
        for socket in sockets:
            socket.abort()
        assert (limits.inbound, limits.outbound, limits.handshakes) == (0, 0, 0)


def test_a_peer_has_only_so_many_sockets() -> None:
    bench = Bench(per_peer_max=2)
    for _ in range(2):
        bench.inbound().connect()
    third = bench.inbound()
    third.authenticated = True
    with pytest.raises(LimitReached) as caught:
        third.move(S.AUTHENTICATED)
    assert caught.value.limit == "per_peer_max"
    bench.inbound(FOURTH).connect()


def test_a_node_does_not_talk_to_itself() -> None:
    bench = Bench(own=LOW)
    mirror = bench.inbound(LOW)
    mirror.authenticated = True
    with pytest.raises(HandshakeFailed, match="this node itself"):
        mirror.move(S.AUTHENTICATED)


def test_whoever_is_blocked_gets_no_further_than_its_key() -> None:
    bench = Bench(own=LOW)
    early, late = bench.inbound(), bench.inbound()
    late.authenticated = True
    late.move(S.AUTHENTICATED)
    bench.registry.is_blocked = lambda peer: peer == early.peer_id
    early.authenticated = True
    with pytest.raises(Blocked, match="is blocked here"):
        early.move(S.AUTHENTICATED)
    with pytest.raises(Blocked):  # blocked while it agreed on a muxer
        late.move(S.CONNECTED)
    bench.inbound(FOURTH).connect()


def test_who_is_turned_away_is_told() -> None:
    bench = Bench(per_ip_max=4)
    for _ in range(4):
        bench.clock.now += 1
        bench.inbound().connect()
    bench.clock.now += 1
    with pytest.raises(LimitReached):
        bench.inbound()
    assert bench.heard(SocketRefused) == [SocketRefused("per_ip_max", "/ip4/10.0.0.1/tcp/4101")]


def test_the_oldest_newcomer_makes_room_for_the_next() -> None:
    bench = Bench(handshakes_max=2)
    proven = bench.inbound(HIGH, "10.0.0.9").connect()
    dialled = bench.outbound()
    first, second = bench.inbound(host="10.0.0.1"), bench.inbound(host="10.0.0.2")
    third = bench.inbound(host="10.0.0.3")
    assert first.state is S.CLOSED
    assert [s.state for s in (second, third)] == [S.CONNECTING] * 2
    assert proven.state is S.OPEN
    assert dialled.state is S.OPENING
    assert bench.registry.limits.handshakes == 2
    assert bench.heard(SocketRefused) == [SocketRefused("handshakes_max", "/ip4/10.0.0.1/tcp/4101")]


def test_a_host_with_too_many_newcomers_pushes_out_its_own_only() -> None:
    bench = Bench(handshakes_max=4, handshakes_per_ip_max=2)
    other = bench.inbound(host="10.0.0.7")
    mine = [bench.inbound(host="10.0.0.1") for _ in range(2)]
    late = bench.inbound(host="10.0.0.1")
    assert mine[0].state is S.CLOSED
    fourth = bench.inbound(host="10.0.0.8")
    assert bench.registry.limits.handshakes == 4
    again = bench.inbound(host="10.0.0.1")
    assert mine[1].state is S.CLOSED, "its own limit comes before that of all"
    assert {s.state for s in (other, late, fourth, again)} == {S.CONNECTING}


def test_room_that_cannot_be_made_is_refused() -> None:
    bench = Bench(handshakes_max=0)
    with pytest.raises(LimitReached):
        bench.inbound()


def test_when_the_node_is_full_the_longest_silent_without_streams_goes() -> None:
    bench = Bench(inbound_max=3)
    busy, silent, lately = (
        bench.inbound(peer, f"10.0.0.{n}").connect() for n, peer in enumerate((HIGH, OTHER, FOURTH))
    )
    busy.streams = 1
    busy.last_read_at, silent.last_read_at, lately.last_read_at = 1.0, 2.0, 3.0
    with pytest.raises(LimitReached) as caught:
        bench.inbound(host="10.0.1.1")
    assert caught.value.limit == "inbound_max"
    assert silent.ended == ["room was needed for others"]
    assert busy.ended == lately.ended == []
    silent.gone()
    bench.inbound(host="10.0.1.1")


def test_while_one_makes_room_nobody_else_has_to() -> None:
    bench = Bench(inbound_max=5)
    sockets = [bench.inbound(HIGH, f"10.0.0.{n}").connect() for n in range(5)]
    for n in range(50):
        with pytest.raises(LimitReached):
            bench.inbound(host=f"10.0.1.{n}")
    assert sum(bool(socket.ended) for socket in sockets) == 1


def test_a_host_that_has_its_share_pushes_out_nobody() -> None:
    bench = Bench(inbound_max=4, per_ip_max=2)
    honest = [bench.inbound(HIGH, f"10.0.0.{n}").connect() for n in (1, 2)]
    crowd = [bench.inbound(FOURTH, "10.0.9.9").connect() for _ in range(2)]
    for _ in range(5):
        with pytest.raises(LimitReached) as caught:
            bench.inbound(host="10.0.9.9")
        assert caught.value.limit == "per_ip_max"
    assert [socket.ended for socket in honest + crowd] == [[]] * 4


def test_the_host_with_the_most_sockets_makes_room_first() -> None:
    bench = Bench(inbound_max=4)
    honest = [bench.inbound(HIGH, f"10.0.0.{n}").connect() for n in (1, 2)]
    crowd = [bench.inbound(FOURTH, "10.0.9.9").connect() for _ in range(2)]
    for socket in crowd:
        socket.streams, socket.last_read_at = 1, bench.clock.now + 1
    with pytest.raises(LimitReached):
        bench.inbound(host="10.0.1.1")
    assert [bool(socket.ended) for socket in honest + crowd] == [False, False, True, False]
    crowd[0].gone()
    bench.inbound(host="10.0.1.1")


def test_what_we_dialled_makes_no_room_for_newcomers() -> None:
    bench = Bench(inbound_max=0)
    ours = bench.outbound().connect()
    with pytest.raises(LimitReached):
        bench.inbound()
    assert ours.ended == []


def test_protected_peers_are_spared_as_long_as_one_tag_holds() -> None:
    bench = Bench(inbound_max=1, idle_timeout_s=10.0)
    socket = bench.inbound().connect()
    bench.registry.protect(OTHER, "contact")
    bench.registry.protect(OTHER, "tunnel")
    bench.registry.unprotect(OTHER, "contact")
    bench.registry.unprotect(OTHER, "never given")
    assert bench.registry.is_protected(OTHER)
    with pytest.raises(LimitReached):
        bench.inbound(host="10.0.1.1")
    bench.sweep(1000.0)
    assert socket.ended == []
    bench.registry.unprotect(OTHER, "tunnel")
    bench.registry.unprotect(OTHER, "tunnel")
    assert not bench.registry.is_protected(OTHER)
    bench.sweep(30.0)
    bench.sweep(30.0)
    assert socket.ended == ["idle"]


def test_hosts_that_break_the_protocol_stay_out_for_a_while() -> None:
    bench = Bench(violations_max=3, violations_s=10.0)
    for _ in range(3):
        socket = bench.inbound().connect()
        socket.error = ProtocolViolation("nonsense")
        socket.abort()
    bench.heard()
    assert not bench.registry.welcomes("10.0.0.1")
    assert bench.registry.welcomes("10.0.0.2")
    assert bench.heard(SocketRefused) == [SocketRefused("violations_max", "10.0.0.1")]
    bench.clock.now += 10.0
    assert bench.registry.welcomes("10.0.0.1")


def test_a_host_that_comes_again_and_again_is_slowed_down() -> None:
    bench = Bench(per_ip_max=12, per_ip_per_s=2.0)
    assert [bench.registry.welcomes("10.0.0.1") for _ in range(4)] == [True, True, True, False]
    assert bench.registry.welcomes("10.0.0.2")
    bench.clock.now += 1.0
    assert [bench.registry.welcomes("10.0.0.1") for _ in range(3)] == [True, True, False]
    bench.told.close()
    assert not bench.registry.welcomes("10.0.0.1")


# ---------------------------------------------------------------- duplicates


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=6),
    st.lists(st.booleans(), min_size=2, max_size=8),
)
def test_both_sides_come_to_one_socket(dials: list[tuple[bool, int]], looks: list[bool]) -> None:
    """Each connection is one socket here and one there, accepted a little earlier or later than dialled.

    Whenever, and however often, the sides look: one socket is left, and it is the newest that the lower peer
    dialled, if it dialled any.
    """
    low, high = Bench(own=LOW), Bench(own=HIGH)
    ends: list[tuple[FakeSocket, FakeSocket]] = []
    for number, (by_low, later) in enumerate(dials):
        near = (low.outbound if by_low else low.inbound)(HIGH).connect()
        far = (high.inbound if by_low else high.outbound)(LOW).connect()
        near.opened_at = float(number + (0 if by_low else later))
        far.opened_at = float(number + (later if by_low else 0))
        near.other_end, far.other_end = far, near
        ends.append((near, far))
    for low_looks in [*looks, True, False, True]:
        if low_looks:
            low.registry.settle(HIGH)
        else:
            high.registry.settle(LOW)
    kept = [number for number, (near, _) in enumerate(ends) if near.usable]
    newest = max(n for n, (by_low, _) in enumerate(dials) if by_low or not any(by for by, _ in dials))
    assert kept == [newest]
    assert [near.usable for near, _ in ends] == [far.usable for _, far in ends]


def test_what_somebody_asked_for_is_kept_by_the_socket_that_takes_its_place() -> None:
    bench = Bench()
    kept, passing = bench.outbound(HIGH).connect(), bench.outbound(HIGH).connect()
    kept.kept, passing.opened_at = True, kept.opened_at + 1.0

    bench.registry.settle(HIGH)

    assert passing.kept
    assert kept.draining or kept.ended


def test_what_a_socket_proved_holds_for_the_one_that_takes_its_place() -> None:
    bench = Bench(own=LOW)
    proven, unproven = bench.outbound(HIGH).connect(), bench.outbound(HIGH).connect()
    unproven.proven = False
    unproven.opened_at += 1
    bench.registry.settle(HIGH)
    assert proven.draining
    assert bench.registry.best(HIGH) is unproven


def test_a_single_socket_has_nothing_to_settle() -> None:
    bench = Bench()
    socket = bench.outbound().connect()
    bench.registry.settle(OTHER)
    bench.registry.settle(HIGH)
    assert not socket.draining


def test_the_loser_closes_when_its_last_stream_has_ended() -> None:
    bench = Bench(own=LOW, close_timeout_s=2.0)
    loser = bench.inbound(HIGH).connect()
    winner = bench.outbound(HIGH).connect()
    loser.streams = 1
    bench.registry.settle(HIGH)
    assert loser.draining
    for _ in range(3):
        assert bench.sweep(2.0) == SWEEP_BUSY_S
        assert loser.ended == []
    loser.streams = 0
    bench.sweep(2.0)
    assert loser.ended == ["another connection to this peer is used"]
    assert winner.ended == []


def test_a_foreign_peers_duplicate_goes_when_no_stream_runs_on_it() -> None:
    bench = Bench()
    slow, fast = bench.outbound().connect(), bench.outbound().connect()
    slow.rtt_s, slow.streams = 1.0, 1
    bench.sweep(SWEEP_IDLE_S)
    assert slow.ended == []
    slow.streams = 0
    bench.sweep(SWEEP_IDLE_S)
    assert slow.ended == ["another connection to this peer is used"]
    assert fast.ended == []


# ---------------------------------------------------------------- deadlines


@pytest.mark.parametrize("stage", [S.OPENING, S.CONNECTING, S.AUTHENTICATING, S.AUTHENTICATED])
def test_a_handshake_that_takes_too_long_is_given_up(stage: SocketState) -> None:
    bench = Bench(handshake_timeout_s=10.0)
    socket = bench.outbound()
    for state in (S.CONNECTING, S.AUTHENTICATING, S.AUTHENTICATED):
        if socket.state is stage:
            break
        socket.move(state)
    assert bench.sweep(9.0) == SWEEP_BUSY_S
    assert socket.ended == []
    bench.sweep(1.0)
    assert socket.ended == ["the handshake took too long"]
    assert socket.state is S.CLOSED


def test_a_peer_that_does_not_take_our_goodbye_is_dropped() -> None:
    bench = Bench(close_timeout_s=2.0)
    socket = bench.outbound().connect()
    socket.shut(Exception("bye"), 0)
    states = []
    for _ in range(2):
        bench.sweep(1.0)
        states.append(socket.state)
    assert states == [S.CLOSING, S.CLOSED]


def test_sockets_that_nobody_uses_are_closed_though_they_answer_probes() -> None:
    bench = Bench(idle_timeout_s=100.0)
    unused, used, hoarding = (bench.outbound(peer).connect() for peer in (HIGH, OTHER, FOURTH))
    hoarding.streams = 1
    for _ in range(5):
        used.activity += 1
        unused.last_read_at = bench.clock.now
        bench.sweep(30.0)
    assert unused.ended == hoarding.ended == ["idle"]
    assert used.ended == []


def test_streams_that_never_agree_on_a_protocol_are_reset_at_the_second_look() -> None:
    bench = Bench()
    socket = bench.outbound().connect()
    slow, quick = FakeStream(), FakeStream()
    socket.waiting = [slow, quick]
    bench.sweep(30.0)
    first_look = [slow.was_reset, quick.was_reset]
    socket.waiting = [slow]
    bench.sweep(30.0)
    assert first_look == [False, False]
    assert [slow.was_reset, quick.was_reset] == [True, False]


def test_the_sweep_rests_when_there_is_nothing_to_look_after() -> None:
    bench = Bench()
    assert bench.sweep(1.0) is None
    socket = bench.outbound()
    assert bench.sweep(1.0) == SWEEP_BUSY_S
    socket.connect()
    assert bench.sweep(1.0) == SWEEP_IDLE_S
    socket.abort()
    assert bench.sweep(1.0) is None


def test_a_socket_that_the_limits_refused_leaves_no_trace() -> None:
    bench = Bench()
    stranger = FakeSocket(bench)
    stranger.state = S.CONNECTING
    stranger.shut(LimitReached("per_ip_max"), None)
    stranger.gone()
    assert bench.registry.all() == []
    assert bench.sweep(1.0) is None
