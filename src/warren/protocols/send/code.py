"""The code of a send: a few words that somebody can say over the phone.

In:  chance; or text as somebody typed it. Out: `4071-guitar-cross`, or a `SendCode`.
Spec: docs/protocols/send.md.

The number is the channel: it says where to look for the sender, and is no secret. The words are the secret,
11 bits each. A code is never sent anywhere; what proves that both sides know it is in `pake.py`.

Refuses, with `InvalidCode` that says what is wrong: other text, words that are not in the list, so that most
typing errors cost no guess, too few words or too many.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.errors import InputError, InvalidCode
from warren.protocols.send.wordlist import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL_MIN: Final = 1000
CHANNEL_MAX: Final = 9999
"""Four digits: of a hundred who send at once in one network one in ninety shares its channel with another,
which costs that one a wrong guess."""
WORDS_MIN: Final = 2
"""22 bits: one guess is right in 4,194,304."""
WORDS_MAX: Final = 6
TYPED_CHARS_MAX: Final = 200
"""Fault: a file on stdin that is no code. Longer text is not looked at."""
PREFIX_CHARS: Final = 4
"""So many letters of a word are enough."""
_EXAMPLE: Final = "a code looks like 4071-guitar-cross"
_BETWEEN: Final = re.compile(r"[\s\-_.,]+")


@dataclass(frozen=True, slots=True)
class SendCode:
    """channel: where to look for the sender. words: the secret."""

    channel: int
    words: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        return "-".join((str(self.channel), *self.words))

    @property
    def password(self) -> bytes:
        """What both sides prove to know."""
        return str(self).encode()

    @classmethod
    def make(cls, below: Callable[[int], int], words: int = WORDS_MIN) -> SendCode:
        """A new one. below: a whole number by chance, from 0 to less than that. Raises InputError."""
        if not WORDS_MIN <= words <= WORDS_MAX:
            raise InputError(f"a code has {WORDS_MIN} to {WORDS_MAX} words, not {words}", hint="leave it out")
        channel = CHANNEL_MIN + below(CHANNEL_MAX - CHANNEL_MIN + 1)
        return cls(channel, tuple(WORDS[below(len(WORDS))] for _ in range(words)))

    @classmethod
    def parse(cls, text: str) -> SendCode:
        """Read a code as it was typed: in any case, with spaces or hyphens, words cut to four letters.

        Raises InvalidCode with a hint.
        """
        if len(text) > TYPED_CHARS_MAX:
            raise InvalidCode(f"too long for the code of a send ({len(text)} characters)", hint=_EXAMPLE)
        channel, *words = [part for part in _BETWEEN.split(text.lower()) if part] or [""]
        if not (channel.isascii() and channel.isdecimal() and words):
            raise InvalidCode("this is not the code of a send", hint=_EXAMPLE)
        if not CHANNEL_MIN <= int(channel) <= CHANNEL_MAX:
            raise InvalidCode(
                f"a code begins with a number from {CHANNEL_MIN} to {CHANNEL_MAX}, not {channel}",
                hint=_EXAMPLE,
            )
        if not WORDS_MIN <= len(words) <= WORDS_MAX:
            raise InvalidCode(
                f"a code has {WORDS_MIN} to {WORDS_MAX} words after its number, not {len(words)}",
                hint=_EXAMPLE,
            )
        return cls(int(channel), tuple(map(_word, words)))


def _word(typed: str) -> str:
    """The word of the list that was meant."""
    place = bisect_left(WORDS, typed)
    found = WORDS[place] if place < len(WORDS) else ""
    if found == typed or (len(typed) >= PREFIX_CHARS and found.startswith(typed)):
        return found
    near = difflib.get_close_matches(typed, WORDS, n=1)
    hint = f"perhaps {near[0]} was meant" if near else "ask for the code again"
    raise InvalidCode(f"{typed!r} does not occur in codes", hint=hint)
