"""Transfers as lines for people: the table of a listing, the page of one.

In:  documents of the API, the time. Out: lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from warren.frontends.cli import units
from warren.frontends.cli.base import columns
from warren.frontends.cli.peer_lines import age

Document = dict[str, Any]
HEAD = ("#", "WHAT", "STATE", "DONE", "SIZE", "SPEED", "LEFT", "FROM")
ENDED = ("failed", "done")
_LET_GO = ("dropped", "gone")
_USED = ("active", "stalled")
_NAME_CHARS_MAX = 60
_SOURCES_NAMED = 2


UPLOAD_STATES = {"sending": "giving", "waiting": "waits for its turn", "idle": "gave"}


def table(found: Iterable[Document], uploads: Iterable[Document]) -> list[str]:
    """What is fetched, and what goes out, as one table. Numbers are those of the transfers."""
    rows = [_row(one) for one in found] + [_upload_row(one) for one in uploads]
    return columns([HEAD, *rows], right=(0, 3, 4, 5, 6))


def details(one: Document, now: float) -> list[str]:
    """All of one transfer, with its sources."""
    facts = [
        ("number", str(one["number"])),
        ("what", one["name"]),
        ("asked for", one["ref"]),
        ("content id", one["cid"] or "not known yet"),
        ("state", state(one)),
        ("reason", one["reason"]),
        ("", one["hint"] if one["reason"] else ""),
        ("tried again", f"in {units.span(max(one['retry_at'] - now, 1.0))}" if one["retry_at"] else ""),
        ("done", _done(one)),
        ("speed", speed(one)),
        ("left", left(one).strip("-")),
        ("goes into", "" if one["path"] else one["output"]),
        ("lies at", one["path"]),
        ("only", ", ".join(one["patterns"])),
        ("chosen", units.count(one["paths"], "file or folder", "files and folders") if one["paths"] else ""),
        ("priority", str(one["priority"])),
        ("at most", f"{units.size(one['cap_bytes_per_s'])}/s" if one["cap_bytes_per_s"] else ""),
        ("runs", one["between"]),
        ("shared", "" if one["keep"] else "no: it is not shared with others once it is here"),
        ("from", ", ".join(one["from_peers"]) + (" and nobody else" if one["only"] else "")),
        ("added", f"{age(one['added_at'], now)} ago"),
        ("ended", f"{age(one['ended_at'], now)} ago" if one["ended_at"] else ""),
    ]
    lines = [f"{name:<12}{text}" for name, text in facts if text]
    if one["sources"]:
        head = ("SOURCE", "STATE", "SHARE", "CAME", "SPEED", "NOTE")
        rows = [_source_row(source, is_done=one["state"] == "done") for source in one["sources"]]
        lines += ["", *columns([head, *rows], right=(2, 3, 4))]
    if one["dropped"]:
        gone = [(it["called"], f"{age(it['at'], now)} ago", it["reason"]) for it in one["dropped"]]
        lines += ["", *columns([("LET GO", "WHEN", "WHY"), *gone])]
    return lines


def state(one: Document) -> str:
    """What a transfer is doing, in a word or two."""
    if one["state"] == "running":
        return "looking for holders" if waits(one) else str(one["phase"] or "starting")
    if one["state"] == "waiting":
        return "waiting for holders"
    if one["cause"] == "busy":
        return "waiting for a place"
    if one["state"] == "paused":
        return {"disk": "paused: no room", "hours": f"runs {one['between']}"}.get(one["cause"], "paused")
    return str(one["state"])


def waits(one: Document) -> bool:
    """Whether nothing comes, as it has no source left, no place or no leave."""
    if one["state"] == "running":
        return bool(one["sources"]) and all(source["state"] in _LET_GO for source in one["sources"])
    return one["state"] in {"waiting", "paused"} or one["cause"] == "busy"


def share(one: Document) -> str:
    """How much of it is done: 42 %."""
    if one["state"] == "done":
        return "100 %"
    return f"{one['done_bytes'] * 100 // one['total_bytes']} %" if one["total_bytes"] else "-"


def speed(one: Document) -> str:
    """What comes now."""
    return f"{units.size(one['bytes_per_s'])}/s" if one["bytes_per_s"] else ""


def left(one: Document) -> str:
    """How long it will take."""
    return units.span(max(one["left_s"], 1.0)) if one["left_s"] is not None else "-"


def sources(one: Document) -> str:
    """From whom it comes, in short: a name or two, else how many."""
    used = [source for source in one["sources"] if source["state"] in _USED or source["bytes_fetched"]]
    if not used:
        return "-"
    if len(used) > _SOURCES_NAMED:
        return units.count(len(used), "peer")
    return ", ".join(source["called"] for source in used)


def _done(one: Document) -> str:
    if not one["total_bytes"]:
        return ""
    text = f"{units.size(one['done_bytes'])} of {units.size(one['total_bytes'])} ({share(one)})"
    if one["total_files"] > 1:
        text += f", {one['done_files']:,} of {units.count(one['total_files'], 'file')}"
    return text


def _row(one: Document) -> tuple[str, ...]:
    name = one["name"]
    return (
        str(one["number"]),
        name if len(name) <= _NAME_CHARS_MAX else name[: _NAME_CHARS_MAX - 3] + "...",
        state(one),
        share(one),
        units.size(one["total_bytes"]) if one["total_bytes"] else "-",
        speed(one) or "-",
        left(one),
        sources(one),
    )


def _upload_row(one: Document) -> tuple[str, ...]:
    return (
        "-",
        one["name"],
        {"sending": "sending", "waiting": "waits for its turn"}.get(one["state"], "sent"),
        "-",
        units.size(one["bytes_sent"]),
        speed(one) or "-",
        "-",
        f"to {one['called']}",
    )


def _source_row(one: Document, *, is_done: bool) -> tuple[str, ...]:
    return (
        one["called"],
        "gave" if is_done and one["state"] not in _LET_GO else one["state"],
        f"{one['share'] * 100:.0f} %",
        units.size(one["bytes_fetched"]),
        speed(one) or "-",
        one["note"],
    )
