"""What a text can be found by: its words, in one form on every node.

In:  names, titles, abstracts; what somebody searches for. Out: words, in order. Letters lose case and accents
(Unicode's compatibility decomposition, then case folding, then what of Latin letters does not decompose),
everything that is neither letter nor digit parts words. In scripts that are written without spaces every
character is a word: where words end there only a dictionary knows, and a search may begin anywhere.
Nodes must agree on this: a word that two nodes see differently is not found.
https://www.unicode.org/reports/tr15/
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Attack: a word without end. What is longer is cut, where it is kept and where it is searched for.
WORD_CHARS_MAX: Final = 40
# Attack: a text of a million words. What comes behind is not found by.
WORDS_MAX: Final = 512
_WORD: Final = re.compile(r"[^\W_]+")
_ASCII: Final = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128)).ljust(256)
"""Most texts are ASCII, and a million of them come with an index: so they cost a sixth."""
_ALONE: Final = re.compile(
    "["
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"  # Thai, Lao, Burmese, Khmer, Tai
    "\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"  # Balinese, Javanese, and more of Burmese and Tai
    "\u2e80-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # ideographs, kana, bopomofo
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"  # more of them
    "]"
)
"""Characters of scripts that are written without spaces, each a word."""
_PLAIN: Final = {
    **dict.fromkeys("\u00f0\u0111\u0257", "d"),  # eth, d with stroke, with hook
    "\u00e6": "ae",
    "\u0153": "oe",
    "\u00fe": "th",
    **dict(zip("\u00f8\u0142\u0127\u0167\u014b\u0131\u0253\u0199\u01b4", "olhtnibky", strict=True)),
}
"""Latin letters that do not decompose, as who has no key for them writes them."""
# Attack: texts of all characters that there are.
_FORMS_MAX: Final = 16_384


class _Forms(dict[int, str]):
    """What becomes of a character, by its number, once it is decomposed and has lost its case."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        form = _PLAIN.get(char, char)
        if unicodedata.category(char) in {"Mn", "Mc"}:
            form = ""
        elif _ALONE.match(char):
            form = f" {char} "
        if len(self) < _FORMS_MAX:
            self[code] = form
        return form


_FORMS: Final = _Forms()


def words(text: str) -> list[str]:
    """The words of a text, in order, as often as they stand there; `WORDS_MAX` at most."""
    if text.isascii():
        found = text.encode().translate(_ASCII).decode().split()
        longest = len(text) - 2 * (len(found) - 1)  # where all others have one letter
    else:
        folded = fold(text)
        found = _WORD.findall(folded)
        longest = len(folded)
    del found[WORDS_MAX:]
    return [word[:WORD_CHARS_MAX] for word in found] if longest > WORD_CHARS_MAX else found


def fold(text: str) -> str:
    """A text without case and accents, and with space around what is a word by itself."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text).casefold().translate(_FORMS)


def is_alone(word: str) -> bool:
    """Whether it is a word because it is a character of a script that is written without spaces."""
    return _ALONE.fullmatch(word) is not None
