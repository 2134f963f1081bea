"""What of a folder is not shared: built-in rules, and those of `.warrenignore` files.

In:  names, and the text of `.warrenignore` files, in the syntax of gitignore
(https://git-scm.com/docs/gitignore): each holds for its folder and all below, the deeper one decides, `!`
takes back what was said above, built-in rules included. Out: whether a name is left out. As with git, what
lies in a folder that is left out cannot be taken back in.

Refuses a file that is too long, not UTF-8, or has a pattern that cannot be understood (`BadRules`): then its
whole folder is left out, because what it was to hide is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from pathspec import GitIgnoreSpec

from warren.services.files import charsets

FILE_NAME: Final = ".warrenignore"
FILE_BYTES_MAX: Final = 256 * 1024

HIDDEN: Final = (r"\..*",)
"""Names with a leading dot: `.git`, `.DS_Store`, swap files and drafts, the folders where fetches grow."""
TEMPORARY: Final = (
    r".+~", r"#.+#", r"~\$.+",  # copies and locks of editors and office programs
    r".+\.(?:tmp|part|partial|crdownload|download)",  # what is being fetched or written
    r"(?:Thumbs|ehthumbs)\.db", r"desktop\.ini", r"lost\+found", r"\$RECYCLE\.BIN",
    r"System Volume Information",  # what systems put beside people's files
)  # fmt: skip
_MARK: Final = "ps_d"
"""The group by which pathspec's expressions tell that a folder was named."""
_ANY_FOLDER: Final = "/"
"""What pathspec makes of a pattern that means all that lies in any folder."""
_FOLDERS_BELOW: Final = re.compile(r"/\*\*/ *$")
_NEVER: Final = re.compile(r"\.warren-.*\.partial", re.DOTALL)


class BadRules(OSError):
    """A `.warrenignore` that cannot be followed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"its {FILE_NAME} {why}")


class Rule(NamedTuple):
    """A line of a `.warrenignore`. include: it leaves out (else it takes back). marked: it also matches what
    lies below what it names. anchored: it is about the whole path, not the name alone.
    """

    regex: re.Pattern[str]
    include: bool
    marked: bool
    anchored: bool

    def names(self, path: str, *, is_folder: bool) -> bool:
        """Whether it names the path itself. What lies below a folder that is left out is never asked for; so
        one that names a folder above says nothing, as something later may have taken that back.
        """
        text = path if self.anchored else path.rpartition("/")[2]
        if is_folder and self.marked:
            text += "/"
        match = self.regex.search(text)
        return match is not None and (not self.marked or match.end() == len(text))


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in one folder. layers: of each `.warrenignore` above, its folder and its lines."""

    built_in: re.Pattern[str]
    layers: tuple[tuple[str, tuple[Rule, ...]], ...] = ()

    def ignores(self, folder: str, name: str, *, is_folder: bool) -> bool:
        """Whether `name` in `folder` ('/' between names from the top of the share) is left out."""
        if not self.layers:
            return self.built_in.fullmatch(name) is not None
        if _NEVER.fullmatch(name):
            return True
        path = f"{folder}/{name}" if folder else name
        for base, rules in reversed(self.layers):
            below = path[len(base) + 1 :] if base else path
            for rule in reversed(rules):
                if rule.names(below, is_folder=is_folder):
                    return rule.include
        return self.built_in.fullmatch(name) is not None

    def within(self, folder: str, text: bytes) -> Rules:
        """What holds in `folder`, whose `.warrenignore` says this. Raises `BadRules`."""
        if len(text) > FILE_BYTES_MAX:
            raise BadRules(f"has more than {FILE_BYTES_MAX // 1024} KiB")
        if b"\0" in text:
            raise BadRules("is no text")
        try:
            spec = GitIgnoreSpec.from_lines(_lines(text.decode("utf-8-sig")), backend="simple")
        except UnicodeDecodeError:
            raise BadRules("is not UTF-8") from None
        except (ValueError, re.error) as error:
            raise BadRules(f"cannot be understood: {error}") from None
        rules = [
            _rule(one.regex, include=one.include)
            for one in spec.patterns
            if one.regex is not None and one.include is not None
        ]
        return Rules(self.built_in, (*self.layers, (folder, tuple(rules))))


def _lines(text: str) -> list[str]:
    """The patterns in it, one a line, as pathspec takes them.

    To git `!` alone says nothing, and what ends with `/**/` means folders alone.
    """
    lines = [_FOLDERS_BELOW.sub("/**/*/", line.removesuffix("\r")) for line in text.split("\n")]
    return [charsets.spell_out(line) for line in lines if line.rstrip() != "!" and not line.startswith("#")]


def _rule(regex: re.Pattern[str], *, include: bool) -> Rule:
    regex = re.compile(charsets.finish(regex.pattern), regex.flags)
    anchored = regex.pattern.startswith("^") or regex.pattern == _ANY_FOLDER
    return Rule(regex, include, _MARK in regex.groupindex, anchored)


def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL)


SHARED: Final = Rules(_compiled(HIDDEN + TEMPORARY))
"""What holds at the top of a share."""
FETCHED: Final = Rules(_compiled(HIDDEN))
"""What is compared with a fetch: all that others may have shared."""
