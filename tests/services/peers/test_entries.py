"""Entries of a list in a file: each with its line, whatever people and their programs did to the file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.services.peers import entries
from warren.services.peers.entries import PROBLEMS_MAX, read

NAMES = ("ip_address", "peers")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=8)


@given(
    OBJECTS,
    st.sampled_from([None, 1, "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_any_list_of_objects_comes_back(
    objects: list[Any], indent: Any, encoding: str, newline: str, ascii_only: bool
) -> None:
    text = json.dumps({"version": 1, "peers": objects}, indent=indent, ensure_ascii=True)
    if not ascii_only:
        text = json.dumps({"peers": objects}, indent=indent, ensure_ascii=False)
        text = text.encode(errors="replace").decode()
        objects = json.loads(text)["peers"]
    found = read(text.replace("\n", newline).encode(encoding), NAMES)
    assert [value for _, value in found.entries] == objects
    assert (found.name, found.problems) == ("peers", [])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.data())
def test_what_is_broken_costs_itself_alone(values: list[int], data: st.DataObject) -> None:
    lines = [f'{{"n": {value}, "t": "x}} , {{ \\" y"}}' for value in values]
    broken = data.draw(st.sets(st.integers(0, len(values) - 1)))
    wrecks = [
        '{"n": }',
        '{"n" 1}',
        "{n: 1}",
        '{"n": 1',
        '{"n": "open}',
        '{"n": NaN}',
        '{"n": 1, "n": 2}',
        "{]}",
        "{",
    ]
    for number in broken:
        lines[number] = data.draw(st.sampled_from(wrecks))
    text = '{"ip_address": [\n' + ",\n".join(lines) + "\n]}\n"
    found = read(text.encode(), NAMES)
    kept = [(number + 2, value) for number, value in enumerate(values) if number not in broken]
    assert [(line, value["n"]) for line, value in found.entries] == kept
    assert [line for line, _ in found.problems if line < len(values) + 2] == [n + 2 for n in sorted(broken)]
    assert found.lost == len(broken)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for whole in (data, b'{"peers": [' + data):
        try:
            found = read(whole, NAMES)
        except InputError:
            continue
        assert found.problem_count >= len(found.problems)


def test_a_file_that_was_cut_short_keeps_what_was_whole() -> None:
    text = b'{"peers": [\n{"a": 1},\n{"b": 2},\n{"c": '
    found = read(text, NAMES)
    assert [value for _, value in found.entries] == [{"a": 1}, {"b": 2}]
    assert found.problems[0].line == 4
    found = read(b'{"peers": [{"a": 1}', NAMES)
    assert found.problems == [(1, "the file ends within the list: it was cut short")]


def test_commas_are_put_up_with() -> None:
    found = read(b'{"peers": [,{"a": 1} {"a": 2},, {"a": 3},]}', NAMES)
    assert [value["a"] for _, value in found.entries] == [1, 2, 3]
    assert not found.problems


def test_several_lists_one_after_another_are_one() -> None:
    found = read(b'{"peers": [{"a": 1}]}\n{"peers": [{"a": 2}]}\n{"ip_address": [{"a": 3}]}', NAMES)
    assert found.entries == [(1, {"a": 1}), (2, {"a": 2})]
    assert found.problems[0].line == 3


def test_bytes_that_are_no_text_cost_their_entry() -> None:
    found = read(b'{"peers": [\n{"a": "\xff"},\n{"a": 2}]}', NAMES)
    assert found.entries == [(3, {"a": 2})]
    assert found.problems == [(2, "it is no JSON: there are bytes in it that are not UTF-8")]


def test_depth_and_digits_cost_their_entry() -> None:
    deep, long = b"[" * 200_000, b"9" * 5000
    found = read(b'{"peers": [\n{"a": ' + deep + b'},\n{"a": ' + long + b'},\n{"a": 3} x,\n{"a": 4}]}', NAMES)
    assert found.entries == [(5, {"a": 4})]
    assert [line for line, _ in found.problems] == [2, 3, 4]
    assert "deeply" in found.problems[0].text


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"peers": {}}', b"\xff\xfe\x00"])
def test_what_is_no_such_list_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="no list of peers"):
        read(data, NAMES)


def test_a_long_report_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "PROBLEMS_MAX", 3)
    found = read(b'{"peers": [' + b"{},{x}," * 10 + b"{}]}", NAMES)
    assert (len(found.problems), found.problem_count, found.lost) == (3, 10, 10)
    assert PROBLEMS_MAX > 3
