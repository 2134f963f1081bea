"""What PDF files say of themselves; hostile ones say nothing, and cost nobody anything."""

from __future__ import annotations

import random
import sys
import time
import zlib
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.services.resources.pdfs import Held, raw, sound
from tests.support import require
from warren.core.entry import NAME_CHARS_MAX, NAMES_MAX, TITLE_CHARS_MAX, Metadata
from warren.services.resources import pdf

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOG = b"<< /Type /Catalog /Pages 3 0 R >>"
PAGES = b"<< /Type /Pages /Kids [] /Count 0 >>"


@pytest.fixture(autouse=True)
def _needs_the_extra() -> None:
    require(find_spec("pypdf"), "pypdf")


def read(data: bytes, now: Callable[[], float] = time.monotonic) -> Metadata:
    before = sys.getprofile()
    try:
        return pdf.read(Held(data), now)
    finally:
        assert sys.getprofile() is before  # whatever happened, nothing stays behind in the thread


def test_title_authors_and_keywords() -> None:
    found = read(sound(Title="On  Apples\n", Author="Anna One, Ben Two", Keywords="fruit; tree, fruit"))
    assert found == Metadata("On Apples", authors=("Anna One", "Ben Two"), tags=("fruit", "tree"))


@pytest.mark.parametrize(
    ("author", "authors"),
    [
        ("One, Anna", ("One, Anna",)),
        ("One, Anna; Two, Ben", ("One, Anna", "Two, Ben")),
        ("Anna One and Ben Two", ("Anna One", "Ben Two")),
        ("Änna Öne & B. Two", ("Änna Öne", "B. Two")),
        ("", ()),
    ],
)
def test_authors_are_told_apart(author: str, authors: tuple[str, ...]) -> None:
    assert read(sound(Author=author)).authors == authors


@pytest.mark.parametrize(
    ("title", "shown"),
    [("untitled", ""), ("Microsoft Word - Report.docx", "Report.docx"), ("a\x00b\u202ec", "a b c")],
)
def test_titles_that_are_none(title: str, shown: str) -> None:
    assert read(sound(Title=title)).title == shown


def test_what_is_too_long_is_cut() -> None:
    many = "; ".join(f"{n} {'x' * 200}" for n in range(100))
    found = read(sound(Title="t" * 5000, Author=many, Keywords=many))
    assert len(found.title) == TITLE_CHARS_MAX
    assert len(found.authors) == len(found.tags) == NAMES_MAX
    assert all(len(one) == NAME_CHARS_MAX for one in found.authors)


def test_xmp_says_what_the_dictionary_does_not() -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        b'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">From XMP</rdf:li></rdf:Alt></dc:title>'
        b"<dc:creator><rdf:Seq><rdf:li>Anna</rdf:li></rdf:Seq></dc:creator>"
        b"<dc:subject><rdf:Bag><rdf:li>fruit</rdf:li></rdf:Bag></dc:subject>"
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    catalog = b"<< /Type /Catalog /Pages 3 0 R /Metadata 4 0 R >>"
    stream = b"<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n%s\nendstream"
    found = read(raw(catalog, b"<< /Author (Ben) >>", PAGES, stream % (len(xmp), xmp)))
    assert found == Metadata("From XMP", authors=("Ben",), tags=("fruit",))
    broken = read(raw(catalog, b"<< /Author (Ben) >>", PAGES, stream % (9, b"<x:xmpmet")))
    assert broken == Metadata(authors=("Ben",))


def bomb() -> bytes:
    """An object stream of 200 KB that unfolds to 64 MiB, in which the information is said to lie."""
    packed = zlib.compress(bytes(4 * pdf.STREAM_BYTES_MAX), 9)
    held = b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
    rows = zlib.compress(b"\x02\0\0\x03\0" * 3)
    xref = b"<< /Type /XRef /Size 3 /W [1 3 1] /Root 1 0 R /Info 2 0 R /Filter /FlateDecode /Length %d >>"
    data = b"%%PDF-1.7\n3 0 obj\n%s\nendobj\n" % (held % (len(packed), packed))
    return b"%s4 0 obj\n%s\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF" % (
        data, xref % len(rows), rows, len(data)
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no PDF at all",
        b"%PDF-1.7",
        b"%PDF-1.7\nstartxref\n99999999999999999999\n%%EOF",
        raw(CATALOG, b"[" * 100_000, PAGES),
        raw(CATALOG, b"<< /Title " * 50_000, PAGES),
        raw(CATALOG, b"2 0 R", PAGES),
        raw(CATALOG, b"<< /Title 4 0 R >>", PAGES, b"4 0 R"),
        raw(CATALOG, b"<< /Title (x) >>", PAGES, trailer=b"/Prev 9"),
        raw(CATALOG, b"<< /Title [1 2] /Author << >> /Keywords 7 >>", PAGES),
        raw(CATALOG, b"<< /Title (x) >>", PAGES, trailer=b"/Encrypt << /Filter /Standard /V 5 /R 6 >>"),
        bomb(),
    ],
    ids=[
        "empty", "text", "cut short", "a start that is nowhere", "nested arrays", "nested dictionaries",
        "itself", "a title that is itself", "a table before all", "wrong types", "encrypted", "bomb",
    ],
)  # fmt: skip
def test_what_is_hostile_says_nothing_or_little(data: bytes) -> None:
    began = time.monotonic()
    assert read(data) in {Metadata(), Metadata("x")}
    assert time.monotonic() - began < 4 * pdf.SECONDS_MAX


def test_no_mutation_of_a_sound_file_does_harm() -> None:
    rng = random.Random(7)
    whole = sound(Title="On Apples", Author="Anna", Keywords="fruit")
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
        read(bytes(data))


def test_a_file_that_takes_too_long_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", pdf.__name__)
    each_look = count()
    data = raw(CATALOG, b"[" + b"[] " * 20_000 + b"]", PAGES)
    assert read(data, lambda: float(next(each_look))) == Metadata()
    assert "it took more than 3 s" in caplog.text
    assert next(each_look) < 20  # it was left at once, not at the end


def test_a_file_that_is_read_too_much_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", pdf.__name__)
    monkeypatch.setattr(pdf, "READ_BYTES_MAX", 100_000)
    file = Held(b"%PDF-1.7\n" + bytes(10_000_000))
    assert pdf.read(file, time.monotonic) == Metadata()
    assert file.bytes_read < 1_000_000
    assert "more than 100000 bytes" in caplog.text


def test_a_disk_that_fails_is_no_file_that_says_nothing() -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        pdf.read(Held(sound(Title="x"), fail), time.monotonic)
