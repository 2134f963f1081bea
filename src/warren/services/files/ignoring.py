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
from typing import Final

from pathspec import GitIgnoreSpec

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
_NEVER: Final = re.compile(r"\.warren-.*\.partial", re.DOTALL)


class BadRules(OSError):
    """A `.warrenignore` that cannot be followed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"its {FILE_NAME} {why}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in one folder. layers: of each `.warrenignore` above, its folder and what it says."""

    built_in: re.Pattern[str]
    layers: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    def ignores(self, folder: str, name: str, *, is_folder: bool) -> bool:
        """Whether `name` in `folder` ('/' between names from the top of the share) is left out."""
        if not self.layers:
            return self.built_in.fullmatch(name) is not None
        if _NEVER.fullmatch(name):
            return True
        path = f"{folder}/{name}" if folder else name
        for base, spec in reversed(self.layers):
            below = path[len(base) + 1 :] if base else path
            verdict = spec.check_file(f"{below}/" if is_folder else below).include
            if verdict is not None:
                return verdict
        return self.built_in.fullmatch(name) is not None

    def within(self, folder: str, text: bytes) -> Rules:
        """What holds in `folder`, whose `.warrenignore` says this. Raises `BadRules`."""
        if len(text) > FILE_BYTES_MAX:
            raise BadRules(f"has more than {FILE_BYTES_MAX // 1024} KiB")
        try:
            spec = GitIgnoreSpec.from_lines(text.decode("utf-8-sig").splitlines(), backend="simple")
        except UnicodeDecodeError:
            raise BadRules("is not UTF-8") from None
        except ValueError as error:
            raise BadRules(f"cannot be understood: {error}") from None
        return Rules(self.built_in, (*self.layers, (folder, spec)))


def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL)


SHARED: Final = Rules(_compiled(HIDDEN + TEMPORARY))
"""What holds at the top of a share."""
FETCHED: Final = Rules(_compiled(HIDDEN))
"""What is compared with a fetch: all that others may have shared."""
