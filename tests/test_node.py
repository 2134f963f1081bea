"""Whole nodes: on real loopback sockets in one process, and in virtual time where time and faults matter."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import socket as sockets
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import run
from warren import testing
from warren.config import Config
from warren.core.errors import (
    Ambiguous,
    Closed,
    ConfigError,
    ContentUnknown,
    DialFailed,
    InputError,
    InvalidCode,
    InvalidMultiaddr,
    MisuseError,
    PeerIdMismatch,
    PeerUnknown,
    ProtocolNotSupported,
    Refused,
    StorageError,
    WarrenError,
)
from warren.core.keys import PrivateKey
from warren.core.multiaddr import Multiaddr
from warren.network import events as bus
from warren.network.config import NetworkConfig
from warren.network.events import PeerConnected, PeerDisconnected
from warren.network.network import Network
from warren.node import Node
from warren.parts import OWNERS_OF_STATE
from warren.protocols.invite.code import InviteCode
from warren.runtime import sqlite
from warren.services.contacts.keeper import Keeper
from warren.services.contacts.model import ContactAdded
from warren.services.discovery.config import DiscoveryConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from warren.core.peer_id import PeerId
    from warren.network.stream import Stream

LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
ECHO = "/example/echo/1.0.0"


def node(name: str, home: Path | None = None, **more: object) -> Node:
    return Node(Config(home=home, listen=LOOPBACK, name=name, **more))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def friends(tmp_path: Path | None = None) -> AsyncIterator[tuple[Node, Node]]:
    """Anna, who invited, and Bob, who joined."""
    homes = (tmp_path / "anna", tmp_path / "bob") if tmp_path else (None, None)
    async with node("anna", homes[0]) as anna, node("bob", homes[1]) as bob:
        await bob.join(await anna.invite())
        yield anna, bob


async def until(fact: Callable[[], bool], events: AsyncIterator[object]) -> None:
    """Wait, event by event, until something is so."""
    while not fact():
        await anext(events)


# --- life ------------------------------------------------------------------------------------------------


def test_a_node_has_an_id_that_its_data_folder_keeps(tmp_path: Path) -> None:
    async def main() -> list[PeerId]:
        ids = []
        for _ in range(2):
            async with node("anna", tmp_path) as anna:
                ids.append(anna.peer_id)
        async with node("bob") as bob:
            ids.append(bob.peer_id)
        return ids

    first, second, other = run(main())
    assert first == second != other
    assert oct((tmp_path / "identity.key").stat().st_mode)[-3:] == "600"


def test_addresses_are_what_others_can_dial() -> None:
    async def main() -> None:
        async with node("anna") as anna:
            (address,) = anna.addresses()
            assert address.peer_id == anna.peer_id
            assert address.port
            assert address.is_loopback
        silent = DiscoveryConfig(mdns=False)  # a test says nothing to the network that it runs on
        async with Node(Config(listen=("/ip4/0.0.0.0/tcp/0",), discovery=silent)) as wide:
            assert not any(address.is_unspecified for address in wide.addresses())

    run(main())


def test_one_port_serves_all_addresses_that_leave_it_open() -> None:
    async def main() -> None:
        listen = ("/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0")
        async with Node(Config(listen=listen)) as anna:
            assert len({address.port for address in anna.network.listen_addrs}) == 1
            assert len(anna.network.listen_addrs) == 2

    run(main())


def test_a_node_is_used_between_start_and_close_only() -> None:
    async def main() -> None:
        anna = node("anna")
        with pytest.raises(MisuseError, match="not started"):
            _ = anna.peer_id
        await anna.close()
        await anna.start()
        with pytest.raises(MisuseError, match="once"):
            await anna.start()
        assert anna.uptime_s >= 0
        assert anna.name == "anna"
        await anna.close()
        await anna.close()
        with pytest.raises(Closed):
            await anna.invite()

    run(main())


def test_a_node_may_be_closed_in_another_task_than_it_was_started_in() -> None:
    async def main() -> None:
        anna = node("anna")
        await asyncio.create_task(anna.start())
        assert anna.addresses()
        await asyncio.create_task(anna.close())

    run(main())


def test_closing_leaves_no_task_and_no_socket_behind(tmp_path: Path) -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        async with friends(tmp_path) as (anna, bob):
            port = anna.addresses()[0].port
            await bob.ping("anna")
        assert asyncio.all_tasks() == before
        with contextlib.closing(sockets.create_server(("127.0.0.1", port or 0))):
            pass

    run(main())


def test_a_cancelled_start_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        for turns in range(0, 24, 3):
            before = asyncio.all_tasks()
            starting = asyncio.create_task(node("anna", tmp_path).start())
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            assert asyncio.all_tasks() == before
        async with node("anna", tmp_path):
            pass

    run(main())


def test_a_taken_port_is_named_with_a_cure_and_the_folder_is_free_again(tmp_path: Path) -> None:
    async def main() -> None:
        with contextlib.closing(sockets.create_server(("127.0.0.1", 0))) as other:
            port = other.getsockname()[1]
            config = Config(home=tmp_path, listen=(f"/ip4/127.0.0.1/tcp/{port}",))
            for _ in range(2):
                with pytest.raises(ConfigError, match=rf"port {port} of .* is taken") as caught:
                    await Node(config).start()
                assert "--listen /ip4/127.0.0.1/tcp/0" in caught.value.hint

    run(main())


def test_an_address_that_is_not_ours_is_named() -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match=r"cannot listen on /ip4/192\.0\.2\.77"):
            await Node(Config(listen=("/ip4/192.0.2.77/tcp/0",))).start()

    run(main())


def test_two_nodes_do_not_share_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.05)

    async def main() -> None:
        async with node("anna", tmp_path):
            with pytest.raises(StorageError, match=f"already runs on .* .process {os.getpid()}"):
                await node("twin", tmp_path).start()

    run(main())


IMPORT_CHECK = """
import asyncio, logging, signal, sys, threading
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), threading.active_count()
import warren
assert "warren.node" not in sys.modules
node = warren.Node(warren.Config())
assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), threading.active_count())
assert not logging.getLogger().handlers and not logging.getLogger("warren").handlers
assert logging.getLogger("warren").level == logging.NOTSET
try:
    asyncio.get_running_loop()
except RuntimeError:
    print("untouched")
"""


def test_importing_and_making_a_node_takes_no_signal_logger_thread_or_loop() -> None:
    source = str(Path(__file__).parents[1] / "src")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_CHECK],
        env={"PYTHONPATH": source, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("untouched\n", "")


# --- messages --------------------------------------------------------------------------------------------


def test_requests_broadcasts_and_streams() -> None:
    async def main() -> None:
        async with friends() as (anna, bob), node("eve") as eve:
            await eve.connect(anna.addresses()[0])
            heard: list[tuple[PeerId, bytes]] = []

            async def slow_echo(peer: PeerId, payload: bytes) -> bytes:
                await asyncio.sleep(0)
                return payload * 2

            async def shout(stream: Stream) -> None:
                await stream.write((await stream.read()).upper())
                stream.close_write()

            anna.handle(ECHO, slow_echo)
            bob.handle(ECHO, lambda peer, payload: heard.append((peer, payload)))
            anna.handle_stream("/example/shout/1", shout)
            with pytest.raises(MisuseError):
                anna.handle(ECHO, slow_echo)
            assert await bob.request("anna", ECHO, b"hi") == b"hihi"
            assert await bob.request(anna.peer_id, ECHO, b"") == b""
            report = await anna.broadcast(ECHO, b"news")
            assert report.reached == (bob.peer_id,)
            assert list(report.failed) == [eve.peer_id]
            await anna.send(bob.peer_id, ECHO, b"to you")
            assert heard == [(anna.peer_id, b"news"), (anna.peer_id, b"to you")]
            stream = await bob.network.open_stream(anna.peer_id, "/example/shout/1")
            await stream.write(b"hey")
            stream.close_write()
            assert await stream.read() == b"HEY"
            with pytest.raises(ProtocolNotSupported):
                await bob.request("anna", "/example/other/1", b"")

    run(main())


def test_connecting_by_address_by_id_and_to_the_wrong_peer() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("bob") as bob, node("eve") as eve:
            address = anna.addresses()[0]
            unproven = await bob.connect(str(address.without_peer()))
            assert unproven.peer_id == anna.peer_id
            assert not unproven.proven
            with pytest.raises(PeerIdMismatch) as caught:
                await bob.connect(address.without_peer().with_peer(eve.peer_id))
            assert caught.value.actual == str(anna.peer_id)
            assert (await eve.connect(address)).proven
            assert (await eve.connect(anna.peer_id)).peer_id == anna.peer_id
            with pytest.raises(PeerUnknown):
                await eve.connect("anna")
            with pytest.raises(InvalidMultiaddr):
                await eve.connect("/ip4/nonsense")
            with pytest.raises(InvalidMultiaddr, match="itself"):
                await eve.connect(eve.peer_id)

    run(main())


def test_ping_speedtest_and_what_the_other_runs() -> None:
    async def main() -> None:
        async with friends() as (anna, bob), node("eve") as eve:
            times = await bob.ping("anna", 3, interval_s=0.01)
            assert len(times) == 3
            assert all(0 < one < 5 for one in times)
            speed = await bob.speedtest("anna", 0.2)
            assert speed.upload_bytes_per_s > 0
            assert speed.download_bytes_per_s > 0
            assert speed.peer_id == anna.peer_id
            with pytest.raises(InputError):
                await bob.speedtest("anna", 0)
            assert (bob.agent_of("anna") or "").startswith("warren/")
            assert bob.agent_of(eve.peer_id) is None
            await eve.connect(anna.addresses()[0])
            with pytest.raises(Refused):
                await eve.speedtest(anna.peer_id, 0.2)

    run(main())


def test_what_is_pinged_is_what_the_table_shows() -> None:
    async def main() -> None:
        async with testing.network(2, latency_s=0.03) as nodes:
            anna, ben = nodes
            times = await anna.ping(ben.peer_id, 8)
            shown = await anna.peers.get(ben.peer_id)
            assert shown is not None
            assert shown.latency is not None
            assert shown.latency.value == pytest.approx(0.06, rel=0.1)
            assert shown.latency.value == pytest.approx(min(times), rel=0.1)

    testing.run(main())


def test_events_tell_what_happens_and_end_with_the_node() -> None:
    async def main() -> list[object]:
        async with node("anna") as anna:
            events = anna.events()
            async with node("bob") as bob:
                await bob.join(await anna.invite())
                who = bob.peer_id
        seen = [event async for event in events]
        kinds = [
            type(event) for event in seen if type(event) in (PeerConnected, ContactAdded, PeerDisconnected)
        ]
        assert kinds == [PeerConnected, ContactAdded, PeerDisconnected]
        assert PeerConnected(who) in seen
        return seen

    run(main())


def test_events_that_nobody_looks_at_cost_nothing_once_they_are_let_go() -> None:
    async def main() -> None:
        async with node("anna") as anna:
            before = len(anna.network.events._inboxes)
            for _ in range(5):
                anna.events()
            gc.collect()
            assert len(anna.network.events._inboxes) == before

    run(main())


# --- invitations and contacts ----------------------------------------------------------------------------


def test_an_invitation_makes_both_sides_contacts() -> None:
    async def main() -> None:
        async with friends() as (anna, bob):
            (about_bob,), (about_anna,) = anna.contacts.all(), bob.contacts.all()
            assert (about_bob.peer_id, about_bob.petname) == (bob.peer_id, "bob")
            assert (about_anna.peer_id, about_anna.petname) == (anna.peer_id, "anna")
            assert [a.with_peer(anna.peer_id) for a in about_anna.proven] == anna.addresses()
            assert [a.with_peer(bob.peer_id) for a in about_bob.told] == bob.addresses()

    run(main())


def test_names_may_be_chosen_on_both_sides() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("bob") as bob:
            code = await anna.invite(name="Robert")
            with pytest.raises(InputError, match="petname"):
                await bob.join(code, name="12")
            await bob.join(code, name="my sister")
            assert anna.contacts.all()[0].petname == "Robert"
            assert bob.contacts.all()[0].petname == "my sister"
            assert bob.resolve_peer("My Sister") == anna.peer_id

    run(main())


def test_a_code_is_good_for_its_uses_and_joining_again_is_free() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("bob") as bob, node("cem") as cem, node("eve") as eve:
            code = await anna.invite(uses=2)
            await bob.join(code)
            await cem.join(code)
            await bob.join(code)
            with pytest.raises(Refused, match="used up") as caught:
                await eve.join(code)
            assert "new code" in caught.value.hint
            assert not eve.contacts.all()
            assert [one.petname for one in anna.contacts.all()] == ["bob", "cem"]

    run(main())


def test_who_was_removed_is_disconnected_and_does_not_come_back_by_its_code() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("bob") as bob:
            events = anna.events()
            code = await anna.invite(uses=5)
            await bob.join(code)
            await anna.contacts.remove(bob.peer_id)
            await until(lambda: not anna.network.is_connected(bob.peer_id), events)
            with pytest.raises(Refused, match="removed"):
                await bob.join(code)

    run(main())


def test_a_wrong_secret_is_refused_and_guessing_soon_stops_even_the_right_one() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("eve") as eve, node("bob") as bob:
            right = InviteCode.parse(await anna.invite())
            for guess in range(5):
                wrong = InviteCode(right.peer_id, right.addresses, bytes([guess]) * 16)
                with pytest.raises(Refused, match="does not know"):
                    await eve.join(str(wrong))
            with pytest.raises(Refused, match="too many") as caught:
                await eve.join(str(right))
            assert "wait" in caught.value.hint
            assert not anna.contacts.all()
            await bob.join(str(right))

    run(main())


def test_a_code_leads_to_its_peer_or_nowhere() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("eve") as eve, node("bob") as bob:
            code = InviteCode.parse(await anna.invite())
            # Somebody else answers at the address that the code names.
            led_astray = InviteCode(code.peer_id, tuple(eve.network.listen_addrs), code.secret)
            with pytest.raises(PeerIdMismatch):
                await bob.join(str(led_astray))
            nowhere = InviteCode(code.peer_id, (Multiaddr.parse("/ip4/127.0.0.1/tcp/9"),), code.secret)
            with pytest.raises(DialFailed, match="not reachable") as caught:
                await bob.join(str(nowhere))
            assert caught.value.attempts
            assert "running" in caught.value.hint
            with pytest.raises(InvalidCode):
                await anna.join(str(code))
            with pytest.raises(InvalidCode):
                await bob.join("warren1nonsense")
            await bob.join(str(code))  # nothing of this spent the code

    run(main())


def test_adding_a_contact_by_hand() -> None:
    async def main() -> None:
        async with node("anna") as anna, node("bob") as bob:
            added = await bob.add_contact(str(anna.addresses()[0]), name="anna")
            assert added.addresses == tuple(anna.network.listen_addrs)
            assert await bob.ping("anna")
            await anna.add_contact(bob.peer_id)
            assert anna.contacts.get(bob.peer_id)
            await anna.add_contact(str(bob.peer_id))
            with pytest.raises(InputError, match="names no peer"):
                await bob.add_contact("/ip4/127.0.0.1/tcp/1")

    run(main())


def test_peers_are_found_by_name_prefix_and_number() -> None:
    async def main() -> None:
        async with friends() as (anna, bob), node("eve") as eve:
            await eve.connect(bob.addresses()[0])
            assert bob.resolve_peer("anna") == anna.peer_id
            assert bob.resolve_peer(eve.peer_id.short) == eve.peer_id
            assert bob.resolve_peer("1", listing=[eve.peer_id]) == eve.peer_id
            with pytest.raises(Ambiguous) as caught:
                bob.resolve_peer("12D3KooW")
            assert len(caught.value.candidates) == 2

    run(main())


def test_contacts_come_back_after_a_restart_of_either_side(tmp_path: Path) -> None:
    async def main() -> None:
        async with friends(tmp_path) as (anna, _):
            port = anna.addresses()[0].port
        listen = (f"/ip4/127.0.0.1/tcp/{port}",)
        for first in ("anna", "bob"):
            async with contextlib.AsyncExitStack() as stack:
                configs = {
                    "anna": Config(home=tmp_path / "anna", listen=listen, name="anna"),
                    "bob": Config(home=tmp_path / "bob", listen=LOOPBACK, name="bob"),
                }
                started = await stack.enter_async_context(Node(configs.pop(first)))
                events = started.events()
                (other,) = configs.values()
                await stack.enter_async_context(Node(other))
                (contact,) = started.contacts.all()
                await until(lambda: started.network.is_connected(contact.peer_id), events)  # noqa: B023

    run(main())


def test_contacts_are_spared_when_room_is_made(tmp_path: Path) -> None:
    async def main() -> None:
        limits = NetworkConfig(inbound_max=2)
        async with node("anna", network=limits) as anna, node("bob") as bob:
            await bob.join(await anna.invite())
            async with contextlib.AsyncExitStack() as stack:
                for number in range(4):
                    stranger = await stack.enter_async_context(node(f"stranger{number}"))
                    with contextlib.suppress(WarrenError):
                        await stranger.connect(anna.addresses()[0])
                assert anna.network.is_connected(bob.peer_id)
                assert await bob.ping("anna")

    run(main())


CRASH = """
import asyncio, sys
from importlib import resources
from pathlib import Path
from warren import Config, Node

async def main():
    config = Config(home=Path(sys.argv[1]), listen=("/ip4/127.0.0.1/tcp/0",), name="anna")
    async with Node(config) as node:
        print(await node.invite(uses=9), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CRASH, str(tmp_path / "anna")],
            env={"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def main(code: str, killed: subprocess.Popen[str]) -> None:
        async with node("bob", tmp_path / "bob") as bob:
            await bob.join(code)
            killed.kill()
            killed.wait()
            async with node("anna", tmp_path / "anna") as anna:
                assert anna.contacts.is_contact(bob.peer_id)
                assert [one.uses_left for one in await anna.contacts.invites()] == [8]

    with start() as process:
        assert process.stdout is not None
        try:
            run(main(process.stdout.readline(), process))
        finally:
            process.kill()


CRASH_SHARING = """
import asyncio, sys
from importlib import resources
from pathlib import Path
from warren import Config, Node

async def main():
    config = Config(home=Path(sys.argv[1]), listen=("/ip4/127.0.0.1/tcp/0",), name="anna")
    async with Node(config) as node:
        for audience in ("public", "contacts"):
            await node.share(sys.argv[2], audience, name="kept")
        await node.share(sys.argv[3], "public")
        await node.unshare("gone")
        print("done", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def test_what_was_shared_and_unshared_survives_kill_9_and_the_loss_of_the_index(tmp_path: Path) -> None:
    kept, gone = photos(tmp_path), tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-c", CRASH_SHARING, *map(str, (tmp_path / "anna", kept, gone))]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "HOME": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        process.kill()

    async def shares() -> list[tuple[str, str]]:
        async with node("anna", tmp_path / "anna") as anna:
            return [(share.name, str(share.audience)) for share in anna.shares()]

    assert run(shares()) == [("kept", "contacts")]
    for path in (tmp_path / "anna").glob("index.db*"):
        path.write_bytes(b"garbage")
    assert run(shares()) == [("kept", "contacts")]


def test_the_tables_of_the_durable_database_are_numbered_through() -> None:
    packages = [Path(str(resources.files(name))) / "schema" for name in OWNERS_OF_STATE]
    names = sorted(path.name for folder in packages for path in folder.glob("*.sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


# --- files -----------------------------------------------------------------------------------------------


def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "Photos"
    (folder / "2024").mkdir(parents=True)
    (folder / "2024" / "sea.jpg").write_bytes(bytes(range(256)) * 9000)
    (folder / "notes.txt").write_text("hello")
    return folder


def test_a_folder_is_shared_browsed_and_fetched(tmp_path: Path) -> None:
    async def main() -> None:
        folder = photos(tmp_path)
        async with (
            node("anna", tmp_path / "anna") as anna,
            node("bob", tmp_path / "bob", download_dir=tmp_path / "got") as bob,
        ):
            await bob.join(await anna.invite())
            seen: list[object] = []
            share = await anna.share(folder, progress=seen.append)
            assert anna.shares() == [share]
            assert (share.files, str(share.audience)) == (2, "contacts")
            assert [one.path for one in await bob.list_files("anna")] == ["Photos"]
            assert [one.path for one in await bob.list_files("anna", "Photos/2024")] == [
                "Photos/2024/sea.jpg"
            ]
            assert await anna.list_files() == await anna.list_files(anna.peer_id)
            transfer = bob.get("anna/Photos")
            phases = [progress.phase async for progress in transfer]
            assert phases
            assert await transfer.result() == tmp_path / "got" / "Photos"
            fetched = (tmp_path / "got/Photos/2024/sea.jpg").read_bytes()
            assert fetched == (folder / "2024/sea.jpg").read_bytes()
            for ref in (share.cid, str(share.cid), "Photos"):
                again = bob.get(
                    ref, from_peer="anna", output=tmp_path / f"out-{type(ref).__name__}-{len(str(ref))}"
                )
                assert ((await again.result()) / "notes.txt").read_text() == "hello"
            assert (await anna.unshare("Photos")).cid == share.cid
            assert anna.shares() == []
            with pytest.raises(ContentUnknown):
                await bob.list_files("anna", "Photos")

    run(main())


def test_strangers_and_who_is_not_meant_see_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        folder = photos(tmp_path)
        async with friends() as (anna, bob), node("eve") as eve:
            await eve.connect(anna.addresses()[0])
            await anna.share(folder)
            assert len(await bob.list_files("anna")) == 1
            assert await eve.list_files(anna.peer_id) == []
            await anna.share(folder, f"peer:{eve.peer_id}")
            assert await bob.list_files("anna") == []
            assert len(await eve.list_files(anna.peer_id)) == 1
            await anna.share(folder, "public")
            assert len(await bob.list_files("anna")) == 1
            await anna.share(folder, "contacts")
            events = bob.events()
            await anna.contacts.remove(bob.peer_id)
            await until(lambda: not bob.network.is_connected(anna.peer_id), events)
            assert await bob.list_files(anna.peer_id) == []
            with pytest.raises(PeerUnknown):
                await anna.share(folder, "peer:nobody")

    run(main())


def test_shares_are_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        folder = photos(tmp_path)
        async with node("anna", tmp_path / "home") as anna:
            share = await anna.share(folder, "public", name="Pictures")
        async with node("anna", tmp_path / "home") as anna:
            (again,) = anna.shares()
            assert (again.name, again.cid, str(again.audience)) == ("Pictures", share.cid, "public")

    run(main())


def test_what_does_not_say_whom_to_ask_is_refused() -> None:
    async def main() -> None:
        async with node("anna") as anna:
            with pytest.raises(InputError) as caught:
                anna.get("Photos")
            assert caught.value.hint
            with pytest.raises(PeerUnknown):
                anna.get("carol/Photos")

    run(main())


def test_closing_the_node_ends_a_transfer(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "big").write_bytes(os.urandom(10_000_000))
        async with friends() as (anna, bob):
            await anna.share(tmp_path / "big")
            transfer = bob.get("anna/big", output=tmp_path / "got", cap_bytes_per_s=1_000_000)
            await anext(aiter(transfer))
            await bob.close()
            with pytest.raises((asyncio.CancelledError, WarrenError)):
                await transfer.result()
            assert not (tmp_path / "got" / "big").exists()

    run(main())


# --- in virtual time -------------------------------------------------------------------------------------


async def contacts_of_two(nodes: testing.Nodes) -> tuple[Node, Node]:
    anna, bob = nodes
    await bob.join(await anna.invite())
    return anna, bob


async def connected(one: Node, other: Node, within_s: float) -> float:
    """Virtual seconds until the two are connected."""
    loop = asyncio.get_running_loop()
    began, events = loop.time(), one.events()
    async with asyncio.timeout(within_s):
        await until(lambda: one.network.is_connected(other.peer_id), events)
    return loop.time() - began


def test_an_invitation_expires_in_virtual_time() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as (anna, bob):
            code = await anna.invite(expires_s=3600)
            await asyncio.sleep(3601)
            with pytest.raises(Refused, match="expired"):
                await bob.join(code)

    testing.run(main())


def test_a_guesser_may_try_again_after_a_while() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as (anna, eve):
            right = InviteCode.parse(await anna.invite())
            wrong = InviteCode(right.peer_id, right.addresses, bytes(16))
            for _ in range(5):
                with pytest.raises(Refused, match="does not know"):
                    await eve.join(str(wrong))
            with pytest.raises(Refused, match="too many"):
                await eve.join(str(right))
            await asyncio.sleep(60)
            await eve.join(str(right))

    testing.run(main())


def test_a_silent_claimant_is_dropped() -> None:
    async def main() -> None:
        async with testing.network(2) as (anna, eve):
            stream = await eve.network.open_stream(anna.peer_id, "/warren/invite/1.0.0")
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(WarrenError):
                await stream.read()
            assert 9 < loop.time() - began < 12

    testing.run(main())


def test_contacts_find_each_other_again_after_a_cut() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            await asyncio.sleep(60)
            assert nodes.cut(0, 1)
            await asyncio.sleep(0.1)
            assert not anna.network.is_connected(bob.peer_id)
            assert await connected(anna, bob, 5) < 3

    testing.run(main())


def test_contacts_find_each_other_again_after_a_long_partition() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            nodes.partition([0], [1])
            await asyncio.sleep(86400)
            assert not anna.network.is_connected(bob.peer_id)
            nodes.heal()
            assert await connected(anna, bob, 1000) < 900  # the longest wait and its jitter

    testing.run(main())


def test_contacts_find_each_other_again_after_a_restart() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            for number in (0, 1):
                again = await nodes.restart(number)
                other = nodes[1 - number]
                assert again.peer_id in (anna.peer_id, bob.peer_id)
                assert again.contacts.is_contact(other.peer_id)
                assert await connected(again, other, 10) < 5

    testing.run(main())


def test_a_contact_that_moved_is_found_where_it_says_it_is() -> None:
    """Only bob knows where anna is now; her table learns his address, so that she finds him after a
    restart.
    """

    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            contact = anna.contacts.get(bob.peer_id)
            assert contact is not None
            assert contact.told
            assert [one.with_peer(bob.peer_id) for one in contact.addresses] == bob.addresses()

    testing.run(main())


def test_who_hangs_up_at_once_is_not_dialled_in_a_storm() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            assert anna.network.is_connected(bob.peer_id)
            dials = 0
            events = anna.events()
            nodes.cut(0, 1)
            loop = asyncio.get_running_loop()
            end = loop.time() + 600
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    async for event in events:
                        if isinstance(event, PeerConnected):
                            dials += 1
                            nodes.cut(0, 1)
            assert 3 < dials < 25

    testing.run(main())


def test_strangers_cannot_make_a_node_forget_where_its_contacts_are() -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            bob.handle(ECHO, lambda _peer, payload: payload)
            nodes.cut(0, 1)
            await asyncio.sleep(0.1)
            assert not anna.network.is_connected(bob.peer_id)
            for number in range(anna.config.network.address_peers_max + 1):
                stranger = PrivateKey.from_seed(number.to_bytes(32)).peer_id
                anna.network.add_addresses(stranger, [Multiaddr.tcp("192.0.2.1", 1)])
            assert not anna.network.addresses(bob.peer_id)
            assert await anna.request("node1", ECHO, b"still there?") == b"still there?"

    testing.run(main())


def test_a_fault_of_ours_costs_neither_node_nor_contacts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            await asyncio.sleep(60)

            def fail(*_: object) -> None:
                monkeypatch.undo()
                raise RuntimeError("a fault")

            monkeypatch.setattr(Keeper, "_leave", fail)
            carol = PrivateKey.from_seed(bytes(32)).peer_id
            await anna.contacts.add(carol)
            await anna.contacts.remove(carol)
            await asyncio.sleep(5)
            assert "keeping contacts failed; trying again" in caplog.text
            nodes.cut(0, 1)
            assert await connected(anna, bob, 10) < 5

    testing.run(main())


def test_addresses_are_learnt_on_a_full_disk_later(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            await asyncio.sleep(60)
            nodes.world.runtime(nodes.host(0)).disk.fail_next("database", errno.ENOSPC)
            nodes.cut(0, 1)
            await asyncio.sleep(60)
            assert "failed" in caplog.text
            assert anna.network.is_connected(bob.peer_id)
            assert await anna.ping("node1")

    testing.run(main())


def test_who_loses_events_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "QUEUE_EVENTS_MAX", 4)

    async def main() -> None:
        async with testing.network(2, degree=0) as nodes:
            anna, bob = await contacts_of_two(nodes)
            await asyncio.sleep(60)
            for _ in range(3):
                nodes.cut(0, 1)
                for number in range(20):
                    anna.network.events.emit(number)
                await asyncio.sleep(10)
                assert anna.network.is_connected(bob.peer_id)

    testing.run(main())


def test_a_machine_without_ipv6_listens_on_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    listen = Network.listen

    async def without_ipv6(network: Network, addresses: list[Multiaddr]) -> None:
        if any(":" in (address.host or "") for address in addresses):
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        await listen(network, addresses)

    monkeypatch.setattr(Network, "listen", without_ipv6)

    async def main(world: testing.World) -> None:
        async with Node(runtime=world.runtime("old")) as old:
            assert [str(one) for one in old.network.listen_addrs] == ["/ip4/0.0.0.0/tcp/4101"]
        with pytest.raises(ConfigError, match="cannot listen on /ip6/::"):
            await Node(Config(listen=("/ip6/::/tcp/4101",)), runtime=world.runtime("old")).start()

    with testing.World() as world:
        world.run(main(world))


def test_a_forbidden_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Network, "listen", forbidden)

    async def main() -> None:
        with pytest.raises(ConfigError, match="no permission to listen on port 80") as caught:
            await Node(Config(listen=("/ip4/127.0.0.1/tcp/80",))).start()
        assert "1023" in caught.value.hint

    run(main())


def test_the_same_seed_gives_the_same_run() -> None:
    async def main() -> str:
        async with testing.network(3, degree=0, seed=5) as nodes:
            a, b, c = nodes
            await b.join(await a.invite())
            await c.join(await b.invite())
            nodes.partition([0], [1, 2])
            await asyncio.sleep(120)
            nodes.heal()
            await asyncio.sleep(600)
            return nodes.world.trace_digest()

    assert testing.run(main()) == testing.run(main())


def test_a_node_does_not_share_its_own_data_folder(tmp_path: Path) -> None:
    async def main() -> None:
        async with Node(Config(home=tmp_path / "home", listen=(), name="anna")) as node:
            with pytest.raises(InputError, match="data folder of a node"):
                await node.share(tmp_path / "home")
            (tmp_path / "photo").write_bytes(b"x")
            share = await node.share(tmp_path)
            assert (share.files, [one.path for one in share.skipped]) == (1, ["home"])

    run(main())
