"""When to look at which folder of a share: a pure machine.

In:  what was told of changes, and the time. Out: names and folders to look at, and when. What is told is a
hint only: each look compares what is there with what is known of it.

A file is looked at once it was quiet for `SETTLE_S`, so that a burst of writes is one look. One that is never
quiet is looked at all the same, more and more seldom; it holds up nothing else in its folder. Where too much
was told to keep it name by name, the folder is looked at as a whole, or the share.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SETTLE_S: Final = 0.15
"""Longer than a time stamp is in doubt (`hashing.FRESH_NS`), so that one hashing is enough."""
PATIENCE_S: Final = 10.0
PATIENCE_MAX_S: Final = 320.0
"""Something that is written without a pause is looked at after the first, then after twice as long each time.
Fault: a log that grows while it is hashed, for ever."""
AGAIN_S: Final = 0.3
"""A file that changed while it was hashed is hashed again after this, then after twice as long each time."""
CALM_S: Final = 600.0
"""After so long without it the next time counts as the first."""
WHOLE_WAIT_MAX_S: Final = 1.0
REST_MAX_S: Final = 1.0
"""After a look nothing is looked at for as long as it took, up to this: churn leaves time for the rest, and
what changes after a long look is still seen within two seconds."""
NAMES_MAX: Final = 10_000
FOLDERS_MAX: Final = 1_000
"""Kept of one share. Fault: a program that makes names without end."""


class Look(NamedTuple):
    """A folder to look at, '/' between names, '' the top; names: at these in it alone; deep: with all below.

    busy: names in it that are being written; they are left as they are known.
    """

    folder: str
    deep: bool = False
    busy: frozenset[str] = frozenset()
    names: frozenset[str] | None = None


class _Name:
    """Something that changes: since when, when last, and how long it is waited for to be quiet."""

    __slots__ = ("first", "last", "patience_s")

    def __init__(self, now: float) -> None:
        self.first = self.last = now
        self.patience_s = PATIENCE_S

    @property
    def due(self) -> float:
        return min(self.last + SETTLE_S, self.first + self.patience_s)


class _Folder:
    __slots__ = ("deep", "first", "last", "names", "whole")

    def __init__(self) -> None:
        self.names: dict[str, _Name] = {}
        self.whole = self.deep = False
        self.first = self.last = 0.0

    @property
    def due(self) -> float:
        dues = [name.due for name in self.names.values()]
        if self.whole:
            dues.append(min(self.last + SETTLE_S, self.first + WHOLE_WAIT_MAX_S))
        return min(dues)


class Watching:
    """The machine of one share."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self._count = 0
        self._again: dict[tuple[str, str], tuple[float, float]] = {}
        self._rest_until = 0.0

    def again(self, folder: str, name: str, now: float) -> None:
        """A file changed while it was hashed, or could not be read; name '': a folder with all below."""
        wait_s, at = self._again.get((folder, name), (AGAIN_S / 2, now))
        wait_s = min(wait_s * 2, PATIENCE_MAX_S) if now - at < CALM_S else AGAIN_S
        if len(self._again) >= FOLDERS_MAX:
            self._again.clear()
        self._again[folder, name] = (wait_s, now)
        at = now + wait_s - SETTLE_S
        if name:
            self.changed(folder, name, at)
        else:
            self.whole(folder, at, deep=True)

    def changed(self, folder: str, name: str, now: float) -> None:
        """Something happened to `name` in `folder`."""
        known = self._folders.get(folder)
        found = known.names.get(name) if known is not None else None
        if found is not None:
            found.last = now
        elif known is not None and known.whole:
            known.last = now
        elif self._count >= NAMES_MAX:
            self.whole(folder, now)
        else:
            self._folder(folder).names[name] = _Name(now)
            self._count += 1
            self._bound(now)

    def whole(self, folder: str, now: float, *, deep: bool = False) -> None:
        """Anything may have happened in `folder`; deep: and below it."""
        known = self._folder(folder)
        if not known.whole:
            known.whole, known.first = True, now
        known.last = now
        known.deep = known.deep or deep
        self._count -= len(known.names)
        known.names = {}
        self._bound(now)

    def due(self) -> float | None:
        """When to `take` next; None: when something was told."""
        if not self._folders:
            return None
        return max(self._rest_until, min(folder.due for folder in self._folders.values()))

    def take(self, now: float) -> list[Look]:
        """What to look at now."""
        if now < self._rest_until:
            return []
        looks: list[Look] = []
        for path, folder in list(self._folders.items()):
            if folder.due > now:
                continue
            quiet = self._settle(folder, now)
            forced = self._forced(folder, now)
            names = None if folder.whole else frozenset(quiet | forced)
            looks.append(Look(path, folder.deep, frozenset(folder.names) - forced, names))
            folder.whole = folder.deep = False
            if not folder.names:
                del self._folders[path]
        return looks

    def looked(self, now: float, took_s: float) -> None:
        """What was taken is done, after so many seconds."""
        self._rest_until = now + min(took_s, REST_MAX_S)

    def _settle(self, folder: _Folder, now: float) -> set[str]:
        """Forget the names that are quiet, and return them."""
        quiet = {name for name, known in folder.names.items() if known.last + SETTLE_S <= now}
        for name in quiet:
            del folder.names[name]
        self._count -= len(quiet)
        return quiet

    @staticmethod
    def _forced(folder: _Folder, now: float) -> set[str]:
        """The names that were waited for long enough; for those the next wait is longer."""
        forced = {name for name, known in folder.names.items() if known.due <= now}
        for name in forced:
            known = folder.names[name]
            known.first = now
            known.patience_s = min(known.patience_s * 2, PATIENCE_MAX_S)
        return forced

    def _folder(self, path: str) -> _Folder:
        return self._folders.setdefault(path, _Folder())

    def _bound(self, now: float) -> None:
        if len(self._folders) > FOLDERS_MAX:
            self._folders, self._count = {}, 0
            self.whole("", now, deep=True)
