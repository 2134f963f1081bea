from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from warren.core.errors import IllegalMove
from warren.network.states import MOVES, USABLE, SocketState, diagram, move

DOCS = Path(__file__).parents[2] / "docs" / "socket-states.md"
PAIRS = list(itertools.product(SocketState, repeat=2))


def test_the_table_speaks_of_all_nine_states() -> None:
    assert set(MOVES) == set(SocketState)
    assert len(SocketState) == 9


@pytest.mark.parametrize(("old", "new"), [p for p in PAIRS if p[1] in MOVES[p[0]]])
def test_a_legal_move_leads_to_the_new_state(old: SocketState, new: SocketState) -> None:
    assert move(old, new) is new


@pytest.mark.parametrize(("old", "new"), [p for p in PAIRS if p[1] not in MOVES[p[0]]])
def test_every_other_move_raises_and_says_what_is_legal(old: SocketState, new: SocketState) -> None:
    with pytest.raises(IllegalMove, match=f"{old.value} cannot become {new.value}") as caught:
        move(old, new)
    for legal in MOVES[old]:
        assert legal.value in str(caught.value)


def test_a_closed_socket_becomes_nothing() -> None:
    assert not MOVES[SocketState.CLOSED]
    with pytest.raises(IllegalMove, match="only nothing"):
        move(SocketState.CLOSED, SocketState.OPENING)


def test_a_good_life_passes_through_the_states_in_their_order() -> None:
    order = [state for state in SocketState if state is not SocketState.ERRORED]
    for old, new in itertools.pairwise(order):
        assert move(old, new) is new


@pytest.mark.parametrize("start", SocketState)
def test_closed_can_be_reached_from_everywhere(start: SocketState) -> None:
    seen, todo = {start}, [start]
    while todo:
        for state in MOVES[todo.pop()] - seen:
            seen.add(state)
            todo.append(state)
    assert SocketState.CLOSED in seen


def test_errored_is_reachable_from_each_live_state() -> None:
    over = {SocketState.ERRORED, SocketState.CLOSING, SocketState.CLOSED}
    for state in set(SocketState) - over:
        assert SocketState.ERRORED in MOVES[state]


def test_streams_flow_only_once_the_muxer_is_agreed() -> None:
    assert {SocketState.CONNECTED, SocketState.OPEN} == USABLE


def test_the_diagram_in_the_docs_is_the_table() -> None:
    assert f"```mermaid\n{diagram()}\n```" in DOCS.read_text()


def test_the_docs_tell_what_each_state_means() -> None:
    text = DOCS.read_text()
    for state in SocketState:
        assert f"| {state.value} |" in text
