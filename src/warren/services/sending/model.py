"""What sending shows to those above: sends and their receivers. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from warren.core.peer_id import PeerId
    from warren.protocols.send.messages import State

SendEnd: TypeAlias = Literal["", "done", "time", "withdrawn", "closed"]


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """Somebody who proved the code. name: what it calls itself. done_bytes: what it has, by its own word.

    is_here: it is still there; one that is not may come again.
    """

    peer: PeerId
    name: str
    state: State
    done_bytes: int
    is_here: bool = True


@dataclass(frozen=True, slots=True)
class SendState:
    """A send. channel: the public part of its code. names: of what is sent.

    wrong: guesses that were wrong, of `wrong_max` after which the code is withdrawn. receivers: in the order
    in which they came. end: "" while it goes on; `done` (the first receiver has it, and no more was wanted),
    `time` (it was to last no longer), `withdrawn`, or `closed`.
    """

    channel: int
    names: tuple[str, ...]
    files: int
    bytes: int
    wrong: int
    wrong_max: int
    receivers: tuple[ReceiverState, ...] = ()
    end: SendEnd = ""


@dataclass(frozen=True, slots=True)
class SendChanged:
    """Event: a send began, got on, or ended."""

    state: SendState
