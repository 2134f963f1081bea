"""The dialer with a host that answers as a script says, in virtual time."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from warren.core.errors import (
    Closed,
    ConnectionFailed,
    DialFailed,
    HandshakeFailed,
    LimitReached,
    PeerIdMismatch,
)
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig
from warren.network.dialer import Dialer
from warren.network.hearsay import Hearsay
from warren.network.race import reason_of
from warren.runtime.simulated import World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from warren.core.peer_id import PeerId

ALICE, BOB = (PrivateKey.from_seed(bytes([n]) * 32).peer_id for n in (1, 2))
FAR = [Multiaddr.tcp(f"100.50.0.{n}", 1) for n in range(1, 6)]
NEAR = [Multiaddr.tcp(f"192.168.1.{n}", 1) for n in (1, 2)]
NAME = Multiaddr.parse("/dns4/example.org/tcp/1")
CONFIG = NetworkConfig()


class FakeSocket:
    def __init__(self, address: Multiaddr) -> None:
        self.address = address
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class FakeHost:
    """Answers each address after so many seconds: with a socket, or with an error."""

    def __init__(self, clock: Callable[[], float], config: NetworkConfig) -> None:
        self.clock = clock
        self.hearsay = Hearsay(config.hearsay_per_host_max, config.hearsay_per_host_every_s)
        self.answers: dict[Multiaddr, tuple[float, Exception | None]] = {}
        self.names: dict[Multiaddr, tuple[float, list[Multiaddr] | OSError]] = {}
        self.dialled: list[tuple[float, Multiaddr]] = []
        self.given_up: list[Multiaddr] = []
        self.gates: dict[Multiaddr, asyncio.Event] = {}
        self.sockets: list[FakeSocket] = []

    async def resolve(self, address: Multiaddr) -> list[Multiaddr]:
        delay_s, found = self.names.get(address, (0.0, [address.without_peer()]))
        await asyncio.sleep(delay_s)
        if isinstance(found, OSError):
            raise found
        return found

    async def dial_address(self, address: Multiaddr, expected: PeerId | None) -> Any:
        assert expected in (ALICE, BOB, None)
        self.dialled.append((self.clock(), address))
        delay_s, error = self.answers.get(address, (0.01, ConnectionRefusedError()))
        try:
            if address in self.gates:
                await self.gates[address].wait()
            else:
                await asyncio.sleep(delay_s)
        except asyncio.CancelledError:
            self.given_up.append(address)
            raise
        if error is not None:
            raise error
        self.sockets.append(FakeSocket(address))
        return self.sockets[-1]

    def good(self, address: Multiaddr, delay_s: float = 0.05) -> None:
        self.answers[address] = (delay_s, None)

    def bad(self, address: Multiaddr, delay_s: float = 0.05, error: Exception | None = None) -> None:
        self.answers[address] = (delay_s, error or ConnectionRefusedError())


class Bench:
    def __init__(self, world: World, config: NetworkConfig) -> None:
        self.host = FakeHost(world.clock.now, config)
        host: Any = self.host
        self.dialer = Dialer(host, config)

    def gate(self, *addresses: Multiaddr) -> asyncio.Event:
        """Attempts at `addresses` succeed when the gate is set, all in the same moment."""
        event = asyncio.Event()
        for address in addresses:
            self.host.good(address)
            self.host.gates[address] = event
        return event

    async def dial(
        self,
        *addresses: Multiaddr,
        peer: PeerId = ALICE,
        forced: bool = False,
        hearsay: Sequence[Multiaddr] = (),
    ) -> Any:
        wanted = [*addresses, *hearsay]
        return await self.dialer.dial(peer, wanted, forced=forced, hearsay=hearsay)


def simulate(test: Callable[[Bench], Coroutine[Any, Any, None]], config: NetworkConfig = CONFIG) -> None:
    with World() as world:
        world.run(test(Bench(world, config)))


# ---------------------------------------------------------------- which address


def test_a_single_address_is_dialled_at_once() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0])
        socket = await bench.dial(FAR[0])
        assert socket.address == FAR[0]
        assert bench.host.dialled == [(0.0, FAR[0])]

    simulate(main)


def test_a_dead_address_costs_its_head_start_and_no_more() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], delay_s=9.0, error=TimeoutError())
        bench.host.good(FAR[1])
        socket = await bench.dial(FAR[0], FAR[1])
        assert socket.address == FAR[1]
        assert bench.host.clock() == pytest.approx(0.25 + 0.05)
        assert bench.host.given_up == [FAR[0]]

    simulate(main)


def test_an_address_that_fails_lets_the_next_begin_at_once() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], delay_s=0.01)
        bench.host.good(FAR[1])
        await bench.dial(*FAR[:2])
        assert bench.host.dialled[1][0] == pytest.approx(0.01)

    simulate(main)


def test_the_first_success_wins_and_the_others_are_given_up() -> None:
    async def main(bench: Bench) -> None:
        for n, address in enumerate(FAR):
            bench.host.good(address, delay_s=5.0 - n)
        socket = await bench.dial(*FAR)
        assert socket.address == FAR[4]
        assert sorted(map(str, bench.host.given_up)) == sorted(map(str, FAR[:4]))

    simulate(main)


def test_of_two_that_succeed_at_once_one_is_kept() -> None:
    async def main(bench: Bench) -> None:
        gate = bench.gate(*NEAR)
        asking = asyncio.ensure_future(bench.dial(*NEAR))
        await asyncio.sleep(1.0)
        gate.set()
        socket = await asking
        assert [s.aborted for s in bench.host.sockets if s is not socket] == [True]
        assert not socket.aborted

    simulate(main)


def test_no_more_addresses_are_tried_than_the_limit() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed):
            await bench.dial(*FAR)
        assert len(bench.host.dialled) == 2

    simulate(main, NetworkConfig(dial_addresses_max=2))


# ---------------------------------------------------------------- names


def test_a_name_is_dialled_at_all_its_addresses() -> None:
    async def main(bench: Bench) -> None:
        bench.host.names[NAME] = (0.1, FAR[:2])
        bench.host.good(FAR[1])
        assert (await bench.dial(NAME)).address == FAR[1]

    simulate(main)


def test_a_name_that_is_unknown_does_not_stop_the_others() -> None:
    async def main(bench: Bench) -> None:
        bench.host.names[NAME] = (0.1, OSError("no such name"))
        bench.host.good(FAR[0])
        assert (await bench.dial(NAME, FAR[0])).address == FAR[0]
        with pytest.raises(DialFailed, match="no such name"):
            await bench.dial(NAME, peer=BOB)

    simulate(main)


def test_a_look_up_that_hangs_is_given_up_and_holds_up_nobody() -> None:
    async def main(bench: Bench) -> None:
        other = Multiaddr.parse("/dns4/example.com/tcp/1")
        bench.host.names[NAME] = (1000.0, FAR[:1])
        bench.host.names[other] = (0.5, FAR[1:2])
        bench.host.good(FAR[1])
        assert (await bench.dial(NAME, other)).address == FAR[1]
        assert bench.host.clock() == pytest.approx(0.5 + 0.05)
        began = bench.host.clock()
        with pytest.raises(DialFailed, match=r"example\.org"):
            await bench.dial(NAME, peer=BOB)
        assert bench.host.clock() - began == pytest.approx(CONFIG.dial_timeout_s)

    simulate(main)


def test_what_names_lead_to_is_tried_apart() -> None:
    async def main(bench: Bench) -> None:
        other = Multiaddr.parse("/dns4/example.com/tcp/1")
        for name, found in ((NAME, FAR[:1]), (other, FAR[1:2])):
            bench.host.names[name] = (0.1, found)
        for address in FAR[:2]:
            bench.host.bad(address, delay_s=5.0)
        bench.host.good(FAR[2], delay_s=1.0)
        await bench.dial(NAME, FAR[2], other)
        assert [at for at, _ in bench.host.dialled] == pytest.approx([0.0, 0.25, 0.5])

    simulate(main)


# ---------------------------------------------------------------- coalescing


def test_whoever_asks_while_a_dial_runs_waits_for_that_one() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0])
        sockets = await asyncio.gather(bench.dial(FAR[0]), bench.dial(FAR[0]), bench.dial(FAR[1]))
        assert len(bench.host.dialled) == 1
        assert sockets[0] is sockets[1] is sockets[2]

    simulate(main)


def test_a_later_asker_brings_addresses_to_the_dial_that_runs() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], delay_s=9.0, error=TimeoutError())
        bench.host.good(FAR[1])
        first = asyncio.ensure_future(bench.dial(FAR[0]))
        await asyncio.sleep(1.0)
        second = await bench.dial(FAR[0], FAR[1])
        assert second.address == FAR[1]
        assert await first is second
        assert bench.host.dialled == [(0.0, FAR[0]), (pytest.approx(1.0), FAR[1])]

    simulate(main)


def test_what_a_later_asker_brings_begins_apart_and_before_what_is_due_later() -> None:
    async def main(bench: Bench) -> None:
        for address in FAR[:3]:
            bench.host.bad(address, delay_s=9.0, error=TimeoutError())
        bench.host.good(FAR[4], delay_s=0.01)
        first = asyncio.ensure_future(bench.dial(*FAR[:3]))
        await asyncio.sleep(0.1)
        assert (await bench.dial(FAR[4])).address == FAR[4]
        assert bench.host.clock() == pytest.approx(0.25 + 0.01)
        await first

    simulate(main)


def test_each_asker_may_bring_as_many_addresses_as_the_limit() -> None:
    async def main(bench: Bench) -> None:
        for address in FAR:
            bench.host.bad(address, delay_s=9.0, error=TimeoutError())
        asking = [asyncio.ensure_future(bench.dial(*some)) for some in (FAR[:3], FAR[2:])]
        await asyncio.gather(*asking, return_exceptions=True)
        assert sorted(str(address) for _, address in bench.host.dialled) == [
            str(FAR[n]) for n in (0, 1, 2, 3)
        ]

    simulate(main, NetworkConfig(dial_addresses_max=2))


def test_a_later_asker_that_forces_lifts_the_back_off() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed):
            await bench.dial(FAR[0])
        bench.host.bad(FAR[1], delay_s=9.0, error=TimeoutError())
        bench.host.good(FAR[0])
        patient = asyncio.ensure_future(bench.dial(FAR[0], FAR[1]))
        await asyncio.sleep(1.0)
        assert (await bench.dial(FAR[0], forced=True)).address == FAR[0]
        assert (await patient).address == FAR[0]

    simulate(main)


def test_force_goes_through_a_name_that_is_being_looked_up() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed):
            await bench.dial(FAR[0])
        bench.host.names[NAME] = (1.0, FAR[:1])
        bench.host.good(FAR[0])
        patient = asyncio.ensure_future(bench.dial(NAME))
        await asyncio.sleep(0.1)
        assert (await bench.dial(NAME, forced=True)).address == FAR[0]
        await patient

    simulate(main)


def test_who_asks_as_a_dial_fails_is_not_told_of_addresses_that_are_not_its_own() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[1])
        gate = bench.gate(FAR[0])
        bench.host.bad(FAR[0])
        first = asyncio.ensure_future(bench.dial(FAR[0]))
        await asyncio.sleep(1.0)
        gate.set()
        bench.host.good(FAR[1])
        race = bench.dialer._running[ALICE].race
        while not race.over:  # noqa: ASYNC110 - the very turn in which it fails
            await asyncio.sleep(0)
        assert bench.dialer._running
        assert (await bench.dial(FAR[1])).address == FAR[1]
        with pytest.raises(DialFailed):
            await first

    simulate(main)


def test_a_fault_of_ours_is_raised_and_not_swallowed() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], error=ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await bench.dial(FAR[0], FAR[1])
        assert not bench.dialer._running

    simulate(main)


def test_dials_to_different_peers_do_not_wait_for_each_other() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0], delay_s=5.0)
        bench.host.good(FAR[1])
        slow = asyncio.ensure_future(bench.dial(FAR[0]))
        await bench.dial(FAR[1], peer=BOB)
        assert bench.host.clock() == pytest.approx(0.05)
        await slow

    simulate(main)


def test_one_who_gives_up_does_not_take_the_dial_from_the_others() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0], delay_s=1.0)
        hasty, patient = (asyncio.ensure_future(bench.dial(FAR[0])) for _ in range(2))
        await asyncio.sleep(0.1)
        hasty.cancel()
        assert (await patient).address == FAR[0]
        assert hasty.cancelled()

    simulate(main)


def test_a_dial_that_nobody_waits_for_any_more_may_fail_silently() -> None:
    async def main(bench: Bench) -> None:
        asking = asyncio.ensure_future(bench.dial(FAR[0]))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(1.0)

    simulate(main)


def test_after_a_dial_the_next_one_starts_afresh() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0])
        first = await bench.dial(FAR[0])
        second = await bench.dial(FAR[0])
        assert first is not second

    simulate(main)


def test_stop_gives_up_every_dial_and_says_so() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0], delay_s=100.0)
        asking = [asyncio.ensure_future(bench.dial(FAR[0])) for _ in range(2)]
        await asyncio.sleep(0.1)
        await bench.dialer.stop()
        for outcome in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(outcome, Closed)
        assert bench.host.given_up == [FAR[0]]

    simulate(main)


def test_stop_closes_what_connected_in_the_same_moment() -> None:
    async def main(bench: Bench) -> None:
        gate = bench.gate(*NEAR)
        asking = asyncio.ensure_future(bench.dial(*NEAR))
        await asyncio.sleep(1.0)
        gate.set()
        await asyncio.sleep(0)
        await bench.dialer.stop()
        with pytest.raises(Closed):
            await asking
        assert [socket.aborted for socket in bench.host.sockets] == [True, True]

    simulate(main)


# ---------------------------------------------------------------- failures and back-off


def test_the_error_names_each_address_with_its_reason() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0])
        bench.host.bad(FAR[1], error=TimeoutError())
        bench.host.bad(FAR[2], error=HandshakeFailed("it speaks another language"))
        bench.host.bad(FAR[3], error=OSError())
        with pytest.raises(DialFailed, match="could not reach") as caught:
            await bench.dial(*FAR[:4])
        assert dict(caught.value.attempts) == {
            str(FAR[0]): "nobody listens there",
            str(FAR[1]): "no answer in time",
            str(FAR[2]): "it speaks another language",
            str(FAR[3]): "OSError",
        }

    simulate(main)


def test_a_single_reason_of_ours_is_raised_as_it_is() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], error=PeerIdMismatch(expected=ALICE, actual=BOB))
        with pytest.raises(PeerIdMismatch):
            await bench.dial(FAR[0])

    simulate(main)


def test_a_peer_without_addresses_cannot_be_dialled() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed, match=r"no address of .* is known") as caught:
            await bench.dial()
        assert "/p2p/PEER" in caught.value.hint

    simulate(main)


def test_an_address_that_failed_is_not_dialled_again_at_once() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed):
            await bench.dial(FAR[0])
        with pytest.raises(ConnectionFailed, match="failed lately; next try in 5 s"):
            await bench.dial(FAR[0])
        assert len(bench.host.dialled) == 1
        await asyncio.sleep(5.0)
        with pytest.raises(DialFailed):
            await bench.dial(FAR[0])
        with pytest.raises(ConnectionFailed, match="next try in 10 s"):
            await bench.dial(FAR[0])

    simulate(main)


def test_the_back_off_grows_to_its_most() -> None:
    async def main(bench: Bench) -> None:
        for wait_s in (1.0, 2.0, 3.0, 3.0):
            with pytest.raises(DialFailed):
                await bench.dial(FAR[0])
            with pytest.raises(ConnectionFailed, match=f"next try in {wait_s:.0f} s"):
                await bench.dial(FAR[0])
            await asyncio.sleep(wait_s)

    simulate(main, NetworkConfig(backoff_first_s=1.0, backoff_max_s=3.0))


def test_a_forced_dial_does_not_wait_and_a_success_forgets() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed):
            await bench.dial(FAR[0])
        bench.host.good(FAR[0])
        await bench.dial(FAR[0], forced=True)
        await bench.dial(FAR[0])

    simulate(main)


def test_the_addresses_behind_a_name_back_off_too() -> None:
    async def main(bench: Bench) -> None:
        bench.host.names[NAME] = (0.0, FAR[:1])
        with pytest.raises(DialFailed):
            await bench.dial(NAME)
        with pytest.raises(ConnectionFailed, match="failed lately"):
            await bench.dial(NAME)
        assert len(bench.host.dialled) == 1

    simulate(main)


def test_a_wrong_peer_at_an_address_does_not_keep_us_from_the_right_one() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], error=PeerIdMismatch(expected=ALICE, actual=BOB))
        with pytest.raises(PeerIdMismatch):
            await bench.dial(FAR[0], peer=ALICE)
        bench.host.good(FAR[0])
        await bench.dial(FAR[0], peer=BOB)
        with pytest.raises(ConnectionFailed, match="failed lately"):
            await bench.dial(FAR[0], peer=ALICE)

    simulate(main)


def test_our_own_limits_are_not_held_against_an_address() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], error=LimitReached("outbound_max"))
        with pytest.raises(LimitReached):
            await bench.dial(FAR[0])
        bench.host.good(FAR[0])
        await bench.dial(FAR[0])

    simulate(main)


def test_a_reason_of_the_system_is_told_in_its_words() -> None:
    error = OSError(errno.EHOSTUNREACH, "Connect call failed ('192.0.2.7', 4101)")
    assert reason_of(error) == os.strerror(errno.EHOSTUNREACH)
    assert reason_of(OSError("it names no address")) == "it names no address"


# ---------------------------------------------------------------- what nobody stands for

ONCE = NetworkConfig(hearsay_per_host_max=1, hearsay_per_host_every_s=100.0)


def test_a_host_is_tried_on_the_word_of_others_as_often_as_is_allowed_whoever_is_said_to_be_there() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(DialFailed):
            await bench.dial(hearsay=FAR[:1])
        with pytest.raises(LimitReached, match="too often") as caught:
            await bench.dial(hearsay=[Multiaddr.tcp(FAR[0].host or "", 22)], peer=BOB)
        assert caught.value.limit == "hearsay_per_host_max"
        with pytest.raises(LimitReached):
            await bench.dialer.dial_unproven(FAR[0], hearsay=True)
        assert bench.host.dialled == [(0.0, FAR[0])]
        await asyncio.sleep(100.0)
        with pytest.raises(DialFailed):
            await bench.dialer.dial_unproven(FAR[0], hearsay=True)
        assert len(bench.host.dialled) == 2

    simulate(main, ONCE)


def test_all_addresses_of_a_dial_are_counted_and_the_others_are_tried() -> None:
    async def main(bench: Bench) -> None:
        same = [Multiaddr.tcp(FAR[0].host or "", port) for port in range(1, 5)]
        bench.host.good(FAR[1], delay_s=0.05)
        socket = await bench.dial(hearsay=[*same, FAR[1]])
        assert socket.address == FAR[1]
        assert [address for _, address in bench.host.dialled] == [same[0], FAR[1]]

    simulate(main, ONCE)


def test_who_meets_the_peer_may_come_again() -> None:
    async def main(bench: Bench) -> None:
        bench.host.good(FAR[0])
        for _ in range(5):
            await bench.dial(hearsay=FAR[:1])
            await bench.dialer.dial_unproven(FAR[0], hearsay=True)
        assert len(bench.host.dialled) == 10

    simulate(main, ONCE)


def test_an_attempt_that_another_one_overtook_is_not_given_back() -> None:
    async def main(bench: Bench) -> None:
        bench.host.bad(FAR[0], delay_s=9.0, error=TimeoutError())
        bench.host.good(FAR[1])
        await bench.dial(hearsay=FAR[:2])
        await bench.dial(hearsay=FAR[:2], peer=BOB)
        assert [address for _, address in bench.host.dialled].count(FAR[0]) == 1

    simulate(main, ONCE)


def test_what_somebody_stands_for_is_not_counted_also_where_others_tell_of_it() -> None:
    async def main(bench: Bench) -> None:
        for _ in range(3):
            with pytest.raises(DialFailed):
                await bench.dial(FAR[0], forced=True)
        with pytest.raises(DialFailed):
            await bench.dial(hearsay=FAR[:1], forced=True)
        with pytest.raises(LimitReached):
            await bench.dial(hearsay=FAR[:1], forced=True)
        bench.host.bad(FAR[1], delay_s=9.0)
        doubtful = asyncio.ensure_future(bench.dial(hearsay=FAR[:2], forced=True))
        await asyncio.sleep(1.0)
        bench.host.good(FAR[0])
        assert (await bench.dial(FAR[0], forced=True)).address == FAR[0]
        assert (await doubtful).address == FAR[0]

    simulate(main, ONCE)


def test_who_stands_for_a_name_stands_for_what_it_leads_to() -> None:
    async def main(bench: Bench) -> None:
        bench.host.names[NAME] = (0.1, FAR[:1])
        for _ in range(2):
            with pytest.raises(DialFailed):
                await bench.dial(NAME, forced=True)
        with pytest.raises(DialFailed):
            await bench.dial(hearsay=[NAME], forced=True)
        with pytest.raises(LimitReached):
            await bench.dial(hearsay=[NAME], forced=True)

    simulate(main, ONCE)
