"""Bytes on the command line: names and values that may be no text.

In:  words, files, stdin, as text, hex or base 64. Out: bytes; and bytes on stdout, as they are or as a
terminal can show them.

Refuses, as a usage error, what is not in the form that was named.
"""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path

import click

from warren.core.errors import InputError
from warren.frontends.cli import units
from warren.frontends.cli.base import Session
from warren.frontends.printable import printable

FORMS = click.Choice(["text", "hex", "base64"])
# More than any value that is kept anywhere: what takes it refuses it in its own words.
READ_BYTES_MAX = 1 << 17
_TO_STANDARD = str.maketrans("-_", "+/")


def read_value(value: str | None, value_file: str | None, form: str) -> bytes:
    """A value from the word, the file, or stdin (`-` for either). Raises InputError for a file that cannot be
    read.
    """
    if (value is None) == (value_file is None):
        raise click.UsageError("give VALUE or --value-file, and not both")
    if value is not None and value != "-":
        return decoded(value, form, "VALUE")
    raw = _read(value_file) if value_file not in (None, "-") else sys.stdin.buffer.read(READ_BYTES_MAX)
    return raw if form == "text" else decoded(raw.decode("ascii", "replace"), form, "the value")


def decoded(text: str, form: str, what: str) -> bytes:
    """The bytes that a word stands for; base 64 in either alphabet. what: how an error names it."""
    try:
        if form == "hex":
            return bytes.fromhex(text)
        if form == "base64":
            return base64.b64decode("".join(text.split()).translate(_TO_STANDARD), validate=True)
    except (ValueError, binascii.Error) as error:
        raise click.UsageError(f"{what} is not {form}: {error}") from error
    return text.encode("utf-8", "surrogateescape")


def in_json(what: str, raw: bytes) -> dict[str, str]:
    """Bytes as the API takes them: text where they are some, else base 64."""
    try:
        return {what: raw.decode()}
    except UnicodeDecodeError:
        return {f"{what}_base64": in_base64(raw)}


def in_base64(raw: bytes) -> str:
    """RFC 4648, padded."""
    return base64.b64encode(raw).decode("ascii")


def write(session: Session, content: bytes, form: str | None) -> None:
    """Put bytes on stdout in a form, or `bytes`. None: as they are, but on a terminal as it can show them."""
    if form is None and sys.stdout.isatty():
        form = "text" if _is_text(content) else "base64"
        if form == "base64":
            amount = units.size(len(content))
            session.note(f"{amount} that are no text, in base 64; -o FILE writes them as they are")
    if form == "hex":
        click.echo(content.hex())
    elif form == "base64":
        click.echo(in_base64(content))
    elif form == "text":
        lines = content.decode(errors="replace").removesuffix("\n").split("\n")
        click.echo("\n".join(printable(line) for line in lines))
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def _read(name: str | None) -> bytes:
    try:
        with Path(name or "").expanduser().open("rb") as file:
            return file.read(READ_BYTES_MAX)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}", hint="name another file") from error


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\n\t" for character in text)
