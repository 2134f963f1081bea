"""Whole nodes in virtual time: who has the code gets the files, by whatever way; nobody else does."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from warren import testing
from warren.core.errors import (
    ContentUnknown,
    InputError,
    InvalidCode,
    LimitReached,
    NotFound,
    Refused,
    WarrenError,
)
from warren.core.framing import frame
from warren.node import Node
from warren.protocols.kad.config import KadConfig
from warren.protocols.send import meeting, protocol
from warren.protocols.send.code import SendCode
from warren.services.discovery.config import DiscoveryConfig
from warren.services.sending.model import SendChanged

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream
    from warren.services.files.types import Fetched
    from warren.services.sending.model import SendState
    from warren.services.sending.sending import Sending
    from warren.testing.nodes import Nodes

OUT = Path("/out")
CONTENT = b"a picture" * 100_000


def write(nodes: Nodes, number: int, path: str, data: bytes) -> Path:
    disk = nodes.runtime(number).disk
    disk.make_dirs(str(Path(path).parent))
    file = disk.open_write(path, create=True)
    file.pwrite(0, data)
    file.close()
    return Path(path)


def read(nodes: Nodes, number: int, path: Path) -> bytes:
    file = nodes.runtime(number).disk.open_read(str(path))
    try:
        return file.pread(0, 1 << 30)
    finally:
        file.close()


async def ended(sending: Sending) -> SendState:
    """The last state of a send."""
    return [state async for state in sending][-1]


def test_who_has_the_code_gets_the_file_through_a_peer_that_both_know() -> None:
    async def main() -> None:
        async with testing.network(3, degree=0) as nodes:
            ben, anna, common = nodes
            path = write(nodes, 0, "/home/pictures/dog.jpg", CONTENT)
            for node in (ben, anna):
                await node.connect(common.addresses()[0])
            sending = await ben.send_files(path, once=True)
            async with await anna.receive(str(sending.code).upper()) as receiving:
                assert receiving.sender == ben.peer_id
                assert receiving.offer.name == "node0"
                (item,) = receiving.offer.items
                assert (item.name, item.size, item.files, item.is_folder) == (
                    "dog.jpg",
                    len(CONTENT),
                    1,
                    False,
                )
                (done,) = await receiving.fetch(OUT)
            assert read(nodes, 1, done.path) == CONTENT
            state = await ended(sending)
            assert (state.end, state.wrong) == ("done", 0)
            (receiver,) = state.receivers
            assert (receiver.peer, receiver.name) == (anna.peer_id, "node1")
            assert (receiver.state, receiver.done_bytes) == ("done", len(CONTENT))
            assert not ben.contacts.all()
            assert not anna.contacts.all()

    testing.run(main())


def test_several_receivers_use_the_same_code_and_a_folder_keeps_its_shape() -> None:
    async def main() -> None:
        async with testing.network(4, degree=0) as nodes:
            ben, *receivers, common = nodes
            write(nodes, 0, "/home/trip/a.txt", b"a")
            nodes.runtime(0).disk.make_symlink("/etc", "/home/trip/out")
            write(nodes, 0, "/home/trip/sub/b.txt", b"b" * 10)
            note = write(nodes, 0, "/home/note.txt", b"note")
            for node in (ben, *receivers):
                await node.connect(common.addresses()[0])
            async with await ben.send_files("/home/trip", note, words=3) as sending:
                assert len(sending.code.words) == 3
                assert (sending.state.names, sending.state.files) == (("trip", "note.txt"), 3)
                skipped, count = sending.skipped
                assert ([one.path for one in skipped], count) == (["out"], 1)

                async def take(number: int) -> None:
                    async with await nodes[number].receive(str(sending.code)) as receiving:
                        assert [item.is_folder for item in receiving.offer.items] == [True, False]
                        folder, single = await receiving.fetch(OUT)
                        assert read(nodes, number, folder.path / "sub/b.txt") == b"b" * 10
                        assert read(nodes, number, single.path) == b"note"

                await asyncio.gather(take(1), take(2))
                async for state in sending:
                    if {one.state for one in state.receivers} == {"done"}:
                        break
                peers = sorted(one.peer for one in sending.state.receivers)
                assert peers == sorted(node.peer_id for node in receivers)
                assert not ben.shares()
                with pytest.raises(ContentUnknown):
                    await receivers[0].list_files(ben.peer_id, "trip")
                assert await receivers[0].list_files(ben.peer_id) == []
            assert sending.state.end == "closed"

    testing.run(main())


def test_nobody_has_it_without_the_code_nor_after_the_end() -> None:
    async def main() -> None:
        async with testing.network(3, degree=2) as nodes:
            ben, anna, eve = nodes
            await ben.contacts.add(eve.peer_id)  # not even a contact
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            async with await ben.send_files(path) as sending:
                (item,) = sending.items
                for asker in (anna, eve):
                    with pytest.raises(ContentUnknown):
                        await asker.get(item.root, output=OUT, from_peer=ben.peer_id).result()
                receiving = await anna.receive(str(sending.code))
                with pytest.raises(ContentUnknown):
                    await eve.get(item.root, output=OUT, from_peer=ben.peer_id).result()
            with pytest.raises(ContentUnknown):
                await receiving.fetch(OUT)
            with pytest.raises(NotFound, match="nobody was found"):
                await anna.receive(str(sending.code), timeout_s=15)

    testing.run(main())


def test_a_wrong_code_is_refused_and_counted_and_told() -> None:
    async def main() -> None:
        async with testing.network(2, degree=1) as nodes:
            ben, anna = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            async with await ben.send_files(path) as sending:
                wrong = SendCode(sending.code.channel, ("zoo", "zoo"))
                begun = anna.network.clock()
                with pytest.raises(Refused, match="code is wrong"):
                    await anna.receive(str(wrong))
                assert anna.network.clock() - begun < 20
                assert sending.state.wrong == 1
                with pytest.raises(InvalidCode, match="this very node"):
                    await ben.receive(str(sending.code))
                async with await anna.receive(str(sending.code)) as receiving:
                    await receiving.fetch(OUT)

    testing.run(main())


def test_who_guesses_under_ever_new_identities_has_twenty_guesses_and_the_sender_sees_them() -> None:
    async def main() -> None:
        async with testing.network(6, degree=5) as nodes:
            ben, *guessers = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            events = ben.network.events.subscribe(SendChanged)
            sending = await ben.send_files(path)
            protocols = [node._running.sends.receiver._protocol for node in guessers]
            words = iter(range(2048))
            for attempt in range(20):
                wrong = SendCode(sending.code.channel, ("zoo", "zoo"))
                with pytest.raises(Exception, match="WRONG"):
                    await protocols[attempt % 5].attempt(ben.peer_id, wrong, str(next(words)))
            with pytest.raises(Exception, match=r"WITHDRAWN|UNKNOWN|ENDED"):
                await protocols[0].attempt(ben.peer_id, sending.code, "even the right one")
            state = await ended(sending)
            assert (state.end, state.wrong, state.wrong_max) == ("withdrawn", 20, 20)
            assert state.receivers == ()
            counts: list[int] = []
            while len(counts) < 20:
                event = await anext(events)
                assert isinstance(event, SendChanged)
                if event.state.wrong not in {0, *counts}:
                    counts.append(event.state.wrong)
            assert counts == list(range(1, 21))
            events.close()

    testing.run(main())


def test_squatters_in_the_channel_neither_hide_the_sender_nor_learn_the_code() -> None:
    """Four false senders take places before the true one, and answer whatever they like."""

    async def main() -> None:
        async with testing.network(7, degree=0) as nodes:
            ben, anna, common, *squatters = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            sending = await ben.send_files(path)
            channel = sending.code.channel
            for node in squatters:
                await node.connect(common.addresses()[0])
                decoy = write(nodes, nodes.index(node), "/home/decoy", b"decoy")
                other = await node.send_files(decoy)
                node._running.sends.sender._protocol._sendings[channel] = (
                    node._running.sends.sender._protocol._sendings[other.code.channel]
                )
                await node._running.sends.sender._announcer._meeting.take(common.peer_id, channel)
            for node in (ben, anna):
                await node.connect(common.addresses()[0])
            async with await anna.receive(str(sending.code)) as receiving:
                assert receiving.sender == ben.peer_id
            assert sending.state.wrong == 0
            await sending.close()

    testing.run(main())


def test_a_sender_that_cannot_be_dialled_calls_back() -> None:
    """Ben listens nowhere, as behind a NAT: Anna, who can be reached, is told of to him."""

    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, common = nodes
            home = Path("/home/warren")
            ben_runtime = nodes.world.runtime("ben", "203.0.113.9")
            ben = Node(replace(testing.nodes.QUIET, home=home, name="ben", listen=()), runtime=ben_runtime)
            await ben.start()
            try:
                ben_runtime.disk.make_dirs("/home/pictures")
                file = ben_runtime.disk.open_write("/home/pictures/dog.jpg", create=True)
                file.pwrite(0, CONTENT)
                file.close()
                for node in (anna, ben):
                    await node.connect(common.addresses()[0])
                async with await ben.send_files("/home/pictures/dog.jpg") as sending:
                    async with await anna.receive(str(sending.code)) as receiving:
                        (done,) = await receiving.fetch(OUT)
                    assert read(nodes, 0, done.path) == CONTENT
            finally:
                await ben.close()

    testing.run(main())


def test_on_a_local_link_nobody_need_be_connected() -> None:
    async def main() -> None:
        config = replace(testing.nodes.QUIET, discovery=DiscoveryConfig(mdns=True, connections=0))
        async with testing.network(2, lan=True, degree=0, config=config) as nodes:
            ben, anna = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            async with await ben.send_files(path) as sending:
                async with await anna.receive(str(sending.code)) as receiving:
                    (done,) = await receiving.fetch(OUT)
                assert read(nodes, 1, done.path) == CONTENT

    testing.run(main())


def test_the_dht_leads_there_as_well() -> None:
    async def main() -> None:
        async with testing.network(8, degree=2, dht=KadConfig(mode="server")) as nodes:
            ben, anna = nodes[0], nodes[4]
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            await asyncio.sleep(60)
            for node in nodes:  # nobody tells of channels
                node.network.remove_handler(meeting.PROTOCOL)
            async with await ben.send_files(path) as sending:
                async with await anna.receive(str(sending.code), timeout_s=600) as receiving:
                    (done,) = await receiving.fetch(OUT)
                assert read(nodes, 4, done.path) == CONTENT

    testing.run(main())


def test_a_node_that_was_killed_does_not_take_its_sends_up_again() -> None:
    async def main() -> None:
        async with testing.network(2, degree=1) as nodes:
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            sending = await nodes[0].send_files(path)
            receiving = await nodes[1].receive(str(sending.code))
            await nodes.kill(0)
            ben = await nodes.start(0)
            assert not ben.shares()
            anna = nodes[1]
            await anna.connect(ben.addresses()[0])
            with pytest.raises(ContentUnknown):
                await receiving.fetch(OUT)
            with pytest.raises(NotFound):
                await anna.receive(str(sending.code), timeout_s=15)

    testing.run(main())


def test_a_send_ends_in_time_and_lets_those_end_who_fetch() -> None:
    async def main() -> None:
        async with testing.network(2, degree=1) as nodes:
            ben, anna = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            sending = await ben.send_files(path, for_s=30)
            async with await anna.receive(str(sending.code)) as receiving:
                await asyncio.sleep(60)
                assert (sending.state.end, sending.state.receivers[0].state) == ("time", "asking")
                with pytest.raises(Refused, match="has ended"):
                    await anna.receive(str(sending.code), from_peer=ben.peer_id)
                (done,) = await receiving.fetch(OUT)
            assert read(nodes, 1, done.path) == CONTENT
            state = await ended(sending)
            assert (state.end, state.receivers[0].state) == ("time", "done")

    testing.run(main())


def test_what_is_not_wanted_is_declined_and_an_offer_waits_so_long() -> None:
    async def main() -> None:
        async with testing.network(2, degree=1) as nodes:
            ben, anna = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            async with await ben.send_files(path) as sending:
                receiving = await anna.receive(str(sending.code))
                assert anna.receiving(receiving.id) is receiving
                await receiving.decline()
                await receiving.close()
                await asyncio.sleep(1)
                (receiver,) = sending.state.receivers
                assert (receiver.state, receiver.is_here) == ("declined", False)
                with pytest.raises(NotFound, match="no offer"):
                    anna.receiving(receiving.id)
                left = await anna.receive(str(sending.code))
                here = []
                for wait_s in (500, 200):
                    await asyncio.sleep(wait_s)
                    here.append(sending.state.receivers[0].is_here)
                assert here == [True, False]
                with pytest.raises(InputError, match="let go"):
                    await left.fetch(OUT)

    testing.run(main())


def test_a_sender_that_offers_less_than_it_sends_is_not_believed() -> None:
    async def main() -> None:
        async with testing.network(2, degree=1) as nodes:
            ben, anna = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            async with await ben.send_files(path) as sending:
                sending._items = tuple(replace(item, size=10) for item in sending._items)
                receiving = await anna.receive(str(sending.code))
                with pytest.raises(WarrenError):
                    await receiving.fetch(OUT)
                await asyncio.sleep(1)
                assert sending.state.receivers[0].state == "failed"

    testing.run(main())


def test_what_cannot_be_sent_is_refused() -> None:
    async def main() -> None:
        async with testing.network(1) as nodes:
            (ben,) = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            for paths, more, kind in (
                ((), {}, InputError),
                ((path,) * 65, {}, InputError),
                ((path,), {"words": 1}, InputError),
                ((path,), {"for_s": 0.0}, InputError),
                (("/home/none",), {}, NotFound),
                ((path, "/home/none"), {}, NotFound),
                (("/home/warren",), {}, InputError),  # the node's own data
                (("a\0b",), {}, InputError),
            ):
                with pytest.raises(kind):
                    await ben.send_files(*paths, **more)
            assert ben._running.sends.sender.sends() == []
            assert ben._running.library.lending.held == {}
            many = [await ben.send_files(path) for _ in range(16)]
            assert len({one.code.channel for one in many}) == 16
            with pytest.raises(LimitReached, match="16 sends"):
                await ben.send_files(path)
            for one in many:
                await one.close()
            assert ben._running.sends.sender.sends() == []

    testing.run(main())


def test_a_false_sender_is_told_of_and_the_true_one_still_found() -> None:
    """Eve answers everything under the channel, and knows nothing."""

    async def main() -> None:
        async with testing.network(4, degree=0) as nodes:
            ben, anna, common, eve = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            sending = await ben.send_files(path)
            channel = sending.code.channel
            eve.network.remove_handler(protocol.PROTOCOL)

            async def babble(stream: Stream) -> None:
                await stream.read_frame(1024)
                await stream.write(frame(b"\xff\xff"))
                await stream.close()

            eve.network.handle_stream(protocol.PROTOCOL, babble)
            for node in (eve, ben, anna):
                await node.connect(common.addresses()[0])
            await eve._running.sends.sender._announcer._meeting.take(common.peer_id, channel)
            notes: list[str] = []
            async with await anna.receive(str(sending.code), note=notes.append) as receiving:
                assert receiving.sender == ben.peer_id
            await sending.close()
            with pytest.raises(Refused, match="nobody who sends under"):
                await anna.receive(str(sending.code), note=notes.append)
            assert f"{eve.peer_id} answers under {channel}" in notes[-1]

    testing.run(main())


def test_withdrawn_ended_and_tried_too_often_are_told_apart() -> None:
    async def main() -> None:
        async with testing.network(2, degree=1) as nodes:
            ben, anna = nodes
            path = write(nodes, 0, "/home/dog.jpg", CONTENT)
            sending = await ben.send_files(path)
            wrong = str(SendCode(sending.code.channel, ("zoo", "zoo")))
            for _ in range(5):
                with pytest.raises(Refused, match="is wrong"):
                    await anna.receive(wrong)
            receiving = await anna.receive(str(sending.code))  # half a minute gives one back
            for _ in range(2):
                with contextlib.suppress(Refused):
                    await anna.receive(wrong)
            sending.guesses.wrong = 19  # type: ignore[union-attr]
            await asyncio.sleep(600)
            sending._tell()
            receiving = await anna.receive(str(sending.code))
            with pytest.raises(Refused, match="is wrong"):
                await anna.receive(wrong)
            assert sending.state.end == "withdrawn"
            with pytest.raises(Refused, match="withdrawn after too many"):
                await anna.receive(str(sending.code), from_peer=ben.peer_id)
            (done,) = await receiving.fetch(OUT)  # who was there before has it all the same
            assert read(nodes, 1, done.path) == CONTENT
            assert (await ended(sending)).end == "withdrawn"

    testing.run(main())


def test_receivers_are_sources_for_each_other_while_the_sender_has_little_to_give() -> None:
    """The sender's line carries 1 MB/s: it alone would take four times as long for four as for one."""

    async def main() -> None:
        async with testing.network(6, degree=5) as nodes:
            ben = nodes[0]
            nodes.world.network.set_access(nodes.host(0), up_bytes_per_s=1_000_000)
            data = b"".join(number.to_bytes(4, "big") * 65_536 for number in range(64))
            path = write(nodes, 0, "/home/film.mkv", data)
            async with await ben.send_files(path) as sending:
                begun = ben.network.clock()

                async def take(number: int) -> set[PeerId]:
                    async with await nodes[number].receive(str(sending.code)) as receiving:
                        (done,) = cast("tuple[Fetched, ...]", await receiving.fetch(OUT))
                    assert read(nodes, number, done.path) == data
                    return {one.peer for one in done.sources if one.bytes_fetched}

                sources = await asyncio.gather(*map(take, range(1, 5)))
                took_s = ben.network.clock() - begun
            alone_s = len(data) / 1_000_000
            assert took_s < 3 * alone_s
            assert set.union(*sources) > {ben.peer_id}

    testing.run(main())
