r"""Text of others, made fit for a terminal.

In:  any text: names of files, what a peer says of itself, messages. Out: the same on one line, with what
steers a terminal or reorders a line shown as escapes: `\x1b`, `\u202e`. JSON with all of that escaped
means the same.

Whoever shares a file names it. Raw, such a name could clear the screen, retitle the window, answer in the
user's stead (terminals reply to some sequences as if it were typed), or show a false extension.
"""

from __future__ import annotations

import json
import re
from typing import Any

# C0, DEL and C1; the marks that set the direction of text; the separators that end a line; halves of
# surrogate pairs, which no stream can encode.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with every unsafe character as its escape. Doing it twice is the same as doing it once."""
    return _UNSAFE.sub(_escape, text)


def printable_json(document: Any) -> str:
    """The document as JSON on one line; what is unsafe can only be in its strings, and is escaped there."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(document, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
