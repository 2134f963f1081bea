"""Names of groups: one form for each, whatever its case, fit to be typed in a command.

In:  what the user types. Out: the name as it is kept. Refused is what another meaning of an argument would
shadow: `/` and `:` (audiences, paths), `,` (lists), a leading `-` (an option), and what does not show.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from warren.core.errors import InputError

GROUP_NAME_CHARS_MAX: Final = 64
_RESERVED: Final = "/,:"


def group_name(text: str) -> str:
    """The name in its one form. Raises `InputError`."""
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()
    if (
        not 0 < len(name) <= GROUP_NAME_CHARS_MAX
        or not name.isprintable()
        or name.startswith("-")
        or any(one in name for one in _RESERVED)
    ):
        raise InputError(
            f"{text[:80]!r} cannot be the name of a group",
            hint=f"take 1 to {GROUP_NAME_CHARS_MAX} characters without / , : such as family",
        )
    return name
