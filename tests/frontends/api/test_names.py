"""Contacts in errors by the names that the user gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tests.frontends.fake_node import ANNA, BEN, FakeNode
from warren.core.errors import Closed
from warren.frontends.api.names import with_names

if TYPE_CHECKING:
    from warren.node import Node


def document() -> dict[str, Any]:
    return {"error": "X", "message": f"{ANNA} refused {BEN}", "hint": f"warren rm {ANNA}", "code": 1}


def test_contacts_are_named_and_others_are_not() -> None:
    named = with_names(document(), cast("Node", FakeNode()))
    assert named == {
        "error": "X",
        "message": f"anna (…{str(ANNA)[-8:]}) refused {BEN}",
        "hint": "warren rm anna",
        "code": 1,
    }


def test_keys_of_the_dht_stay_as_they_are_so_that_they_can_be_copied() -> None:
    said = {**document(), "message": f"nobody has a value under /warren/{ANNA}/n"}
    assert with_names(said, cast("Node", FakeNode()))["message"] == said["message"]


class DeadNode:
    @property
    def contacts(self) -> object:
        raise Closed("the node is closed")


def test_an_error_of_a_node_that_died_is_told_as_it_is() -> None:
    assert with_names(document(), cast("Node", DeadNode())) == document()
