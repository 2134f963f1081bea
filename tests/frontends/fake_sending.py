"""A send and an offer that happen at once, for tests of what stands above them.

What is sent decides what happens: `guessed` is tried with twenty wrong codes, `late` finds nobody in time,
`hold` waits until the node's `hold` is set.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from warren.core.cid import Cid
from warren.core.errors import DiskFull, NotFound, Refused
from warren.core.keys import PrivateKey
from warren.protocols.send.code import SendCode
from warren.protocols.send.messages import Item, Offer
from warren.services.files.types import Fetched, Progress, Renamed, Skipped
from warren.services.sending.model import ReceiverState, SendState

if TYPE_CHECKING:
    from pathlib import Path

ANNA = PrivateKey.from_seed(b"a" * 32).peer_id
STRANGER = PrivateKey.from_seed(b"s" * 32).peer_id
CID = Cid.raw_sha256(bytes(32))
CODE = SendCode(4071, ("guitar", "cross"))


class FakeSending:
    def __init__(self, node: Any, paths: Any, once: bool) -> None:
        self._node, self._once = node, once
        self.code = CODE
        self.names = tuple(path.name for path in paths)
        self.skipped = [Skipped("link", "leads out of it")], 1
        self.state = SendState(4071, self.names, 2, 10_000_000, 0, 20)

    async def __aiter__(self) -> Any:
        yield self.state
        if "hold" in self.names:
            await self._node.hold.wait()
        for state in self._states():
            self.state = state
            yield state

    def _states(self) -> Any:
        state = self.state
        if "guessed" in self.names:
            yield replace(state, wrong=1)
            yield replace(state, wrong=20, end="withdrawn")
            return
        if "late" in self.names:
            yield replace(state, end="time")
            return
        stranger = ReceiverState(STRANGER, "Sam\x1b", "asking", 0)
        anna = ReceiverState(ANNA, "Anna A.", "fetching", 5_000_000)
        yield replace(state, receivers=(stranger,))
        yield replace(state, receivers=(stranger, anna))
        declined = replace(stranger, state="declined")
        failed = replace(stranger, state="failed")
        yield replace(state, receivers=(declined, anna))
        yield replace(state, receivers=(replace(failed, is_here=False), replace(anna, is_here=False)))
        done = replace(anna, state="done", done_bytes=10_000_000)
        yield replace(state, receivers=(replace(failed, is_here=False), done), wrong=2)
        yield replace(state, receivers=(replace(failed, is_here=False), done), wrong=2, end="done")

    async def close(self) -> None:
        self._node.cancelled.append("send")


class FakeReceiving:
    def __init__(self, node: Any, number: str) -> None:
        self._node = node
        self.id = number
        self.sender = STRANGER if "zoo" in node.typed else ANNA
        folder = Item(CID, "Photos", 9_999_000, 12, is_folder=True)
        self.offer = Offer((folder, *[replace(folder, name="a.txt", is_folder=False)] * 10), "Anna A.")

    async def fetch(self, folder: Path, progress: Any) -> Any:
        progress(Progress(5, 10, 0, 1, "a", "fetching"))
        await self._node.hold.wait()
        if folder.name == "full":
            raise DiskFull(f"no room is left in {folder}", hint="make room")
        skipped, renamed = (Skipped("x", "leads out"),), (Renamed("a:b", "a_b", "a colon"),)
        return (
            Fetched(
                folder / "Photos",
                CID,
                (),
                12,
                9_999_000,
                1.0,
                skipped=skipped,
                skipped_count=1,
                renamed=renamed,
                renamed_count=1,
            ),
        )

    async def decline(self) -> None:
        self._node.cancelled.append(f"offer {self.id}")


class Sends:
    """What a fake node has of sending."""

    hold: Any
    typed = ""
    asked_to_send: Any

    async def send_files(
        self, *paths: Path, words: int, once: bool, for_s: float | None, progress: Any
    ) -> Any:
        self.asked_to_send = (words, once, for_s)
        progress(Progress(5, 10, 1, 2, "x", "hashing"))
        if any(path.name == "gone" for path in paths):
            raise NotFound(f"cannot read {paths[0]}", hint="check the path")
        return FakeSending(self, paths, once)

    async def receive(self, code: str, *, from_peer: Any, timeout_s: float, note: Any) -> Any:
        self.typed = code
        self.asked_from = from_peer
        if "wrong" in code:
            note("somebody answers under 4071 and does not prove the code")
            raise Refused("the sender says that the code is wrong", hint="compare it word by word")
        SendCode.parse(code)
        return FakeReceiving(self, "1")

    def receiving(self, number: str) -> Any:
        if number != "1":
            raise NotFound(f"no offer {number} waits for an answer", hint="give the code again")
        return FakeReceiving(self, number)
