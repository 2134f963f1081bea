"""Whole nodes in virtual time: who has the code gets the files, by whatever way leads there; nobody else does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from warren import testing

if TYPE_CHECKING:
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
    state = sending.state
    async for state in sending:
        pass
    return state


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
