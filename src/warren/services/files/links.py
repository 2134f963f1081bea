"""Which symlinks of a fetched tree may be made: those that never leave it, wherever it lies. Pure.

In: all symlinks of a tree, by their paths in it. Out: for each why it is not made, or nothing. A way is
followed name by name, through other symlinks as well, as a system would; going above the top at any step of
it is leading out, even where the way comes back, and whether or not something lies there now. So the answer
holds under every name and in every folder that the tree will lie in. What is no symlink counts as a folder:
nothing that appears there later opens a way out.

Refused too: absolute targets, circles, ways through more symlinks than systems follow, and what leads through
a symlink that is refused. Time and memory grow with the targets' length alone: no way is followed twice.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.services.files.names import NameRules
    from warren.services.files.walk import MakeSymlink

HOPS_MAX: Final = 40
"""Symlinks on the way of one, itself counted: what Linux follows. Fault: programs that follow more than their
system does."""

ABSOLUTE: Final = "it is a symlink to an absolute path"
LEADS_OUT: Final = "it is a symlink that leads out of what was fetched"
THROUGH_REFUSED: Final = "it is a symlink through another that is left out"
ENDLESS: Final = "it is a symlink in a circle, or through too many others"
NOT_ALLOWED: Final = "its target is not allowed here"


class _Place:
    """A path that leads to symlinks, or is one."""

    __slots__ = ("above", "below", "way")

    def __init__(self, above: _Place | None) -> None:
        self.above = above
        self.below: dict[str, _Place] = {}
        self.way: _Way | None = None


class _Way:
    """Where a symlink leads. While it is followed: where it is, and the names still to go, the next one last.

    What lies `beyond` all symlinks is so many names below `place`: no name there matters.
    """

    __slots__ = ("beyond", "followed", "hops", "place", "reason", "todo")

    def __init__(self, folder: _Place, target: str, rules: NameRules) -> None:
        self.place = folder
        self.beyond = 0
        self.hops = 1
        self.reason = _refuse(target, rules)
        self.todo = target.split("/")[::-1]
        self.followed = bool(self.reason)

    def end(self, reason: str = "") -> None:
        self.reason = reason
        self.followed = True
        self.todo = []


def judge(links: Sequence[MakeSymlink], rules: NameRules) -> list[str]:
    """For each symlink why it must not be made; empty where it may."""
    top = _Place(None)
    ways = [_add(top, link, rules) for link in links]
    for way in ways:
        _follow(way, rules)
    return [way.reason for way in ways]


def _refuse(target: str, rules: NameRules) -> str:
    if target.startswith("/") or os.path.isabs(target):
        return ABSOLUTE
    if "\0" in target or (rules.windows and ("\\" in target or ":" in target)):
        return NOT_ALLOWED
    return ""


def _add(top: _Place, link: MakeSymlink, rules: NameRules) -> _Way:
    folder = place = top
    for name in link.path.split("/"):
        folder = place
        place = folder.below.setdefault(rules.key(name), _Place(folder))
    place.way = _Way(folder, link.target, rules)
    return place.way


def _follow(first: _Way, rules: NameRules) -> None:
    """Follow a way to its end, and each that it leads through before it goes on."""
    under_way = [first]
    begun = {first}
    while under_way:
        way = under_way[-1]
        through = None if way.followed else _step(way, rules)
        if through is None:
            if way.followed:
                under_way.pop()
        elif through.followed:
            _join(way, through)
        elif through in begun:
            way.end(ENDLESS)
        else:
            begun.add(through)
            under_way.append(through)


def _step(way: _Way, rules: NameRules) -> _Way | None:
    """Go one name further. A symlink that lies there is returned, and its name stays to be gone."""
    if not way.todo:
        way.end()
        return None
    name = way.todo[-1]
    if name == "..":
        _step_up(way)
    elif name not in {"", "."}:
        below = None if way.beyond else way.place.below.get(rules.key(name))
        if below is None:
            way.beyond += 1
        elif below.way is not None:
            return below.way
        else:
            way.place = below
    if way.todo:
        way.todo.pop()
    return None


def _step_up(way: _Way) -> None:
    if way.beyond:
        way.beyond -= 1
    elif way.place.above is None:
        way.end(LEADS_OUT)
    else:
        way.place = way.place.above


def _join(way: _Way, through: _Way) -> None:
    """Go on from where another symlink leads."""
    way.hops += through.hops
    if through.reason:
        way.end(THROUGH_REFUSED)
    elif way.hops > HOPS_MAX:
        way.end(ENDLESS)
    else:
        way.place, way.beyond = through.place, through.beyond
        way.todo.pop()
