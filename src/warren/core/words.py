"""What a text can be found by: its words, in one form on every node.

In:  names, titles, abstracts; what somebody searches for. Out: words, in order. Letters lose case and accents
(Unicode's compatibility decomposition, then case folding), everything that is neither letter nor digit parts
words. Nodes must agree on this: a word that two nodes see differently is not found.
https://www.unicode.org/reports/tr15/
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# Attack: a word without end. What is longer is cut, where it is kept and where it is searched for.
WORD_CHARS_MAX: Final = 40
# Attack: a text of a million words. What comes behind is not found by.
WORDS_MAX: Final = 512
_WORD: Final = re.compile(r"[^\W_]+")
_ASCII: Final = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
"""Most texts are ASCII, and a million of them come with an index: so they cost a third."""


def words(text: str) -> list[str]:
    """The words of a text, in order, as often as they stand there; `WORDS_MAX` at most."""
    if text.isascii():
        found = text.translate(_ASCII).split()
        longest = len(text) - 2 * (len(found) - 1)  # where all others have one letter
    else:
        folded = fold(text)
        found = _WORD.findall(folded)
        longest = len(folded)
    del found[WORDS_MAX:]
    return [word[:WORD_CHARS_MAX] for word in found] if longest > WORD_CHARS_MAX else found


def fold(text: str) -> str:
    """A text without case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in decomposed if not _is_mark(char))


@lru_cache(maxsize=4096)
def _is_mark(char: str) -> bool:
    return unicodedata.category(char) == "Mn"
