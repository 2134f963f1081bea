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
_WORD: Final = re.compile(rf"([^\W_]{{1,{WORD_CHARS_MAX}}})[^\W_]*")


def words(text: str) -> list[str]:
    """The words of a text, in order, as often as they stand there; `WORDS_MAX` at most."""
    found: list[str] = _WORD.findall(fold(text))
    if len(found) > WORDS_MAX:
        del found[WORDS_MAX:]
    return found


def fold(text: str) -> str:
    """A text without case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in decomposed if not _is_mark(char))


@lru_cache(maxsize=4096)
def _is_mark(char: str) -> bool:
    return unicodedata.category(char) == "Mn"
