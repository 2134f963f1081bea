"""down, status, id: the running node."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

import click

from warren.core.errors import NodeNotRunning, RequestTimeout
from warren.frontends.cli import offers, units
from warren.frontends.cli.base import Command, Session
from warren.frontends.home import Home

_LOOK_EVERY_S = 0.02


@click.command(
    cls=Command, examples=["warren status", "warren status --json", "warren status anna"], exits=(4, 5, 6)
)
@click.argument("peer", required=False, shell_complete=offers.peers)
@click.pass_obj
def status(session: Session, peer: str | None) -> None:
    """Show the running node: who it is, where it listens, how much it holds.

    With PEER: how that peer says it is doing, and how long it took to say so. Contacts tell more.
    """
    if peer is None:
        found = session.client.get("status")
        session.show(found, lambda: _lines(found))
    else:
        found = session.client.post("peer-status", body={"peer": session.peer(peer)})
        session.show(found, lambda: _peer_lines(found))


@click.command("id", cls=Command, examples=["warren id", "warren id --json"])
@click.pass_obj
def peer_id(session: Session) -> None:
    """Print this node's peer id. With --json also its addresses."""
    found = session.client.get("status")
    document = {key: found[key] for key in ("peer_id", "name", "listen")}
    session.show(document, [found["peer_id"]])


@click.command(cls=Command, examples=["warren down", "warren down --timeout 60"], exits=(6,))
@click.option(
    "--timeout",
    metavar="SECONDS",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds to wait until it has ended.",
)
@click.pass_obj
def down(session: Session, timeout: float) -> None:
    """Stop the node. Transfers keep what was verified, and resume later."""
    pid = session.home.running_pid()
    if pid is None:
        raise NodeNotRunning(f"no node runs on {session.home.path}", hint="nothing needs to be done")
    _ask_to_stop(session, pid)
    if not _wait_until_free(session.home, timeout):
        raise RequestTimeout(
            f"the node (process {pid}) was told to stop and still runs after {units.span(timeout)}",
            hint=f"see warren logs; if it hangs: kill -9 {pid} (what was acknowledged stays)",
        )
    session.show({"stopped": True, "pid": pid}, [f"stopped (process {pid})"])


def _ask_to_stop(session: Session, pid: int) -> None:
    """Over the API; by signal if that does not answer."""
    try:
        session.client.post("stop")
    except (NodeNotRunning, RequestTimeout):
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _wait_until_free(home: Home, timeout_s: float) -> bool:
    """Wait for the end of a process that is not our child: its lock is freed by the system."""
    deadline = time.monotonic() + timeout_s
    while home.running_pid() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"name       {found['name']}",
        f"peer id    {found['peer_id']}",
        f"up         {units.span(found['uptime_s'])}, process {found['pid']}, Warren {found['version']}",
        f"peers      {found['connected']} connected, {units.count(found['contacts'], 'contact')}",
        *_discovery(found["discovery"]),
        *_search(found["search"]),
        f"shares     {found['shares']}",
        f"downloads  {found['download_dir']}",
        f"data       {found['home']}",
    ]
    if found["store"]:
        lines += _store(found["store"])
    if found["status"]:
        lines.append(f"status     {found['status']}/server_info, /metrics, /healthz, /readyz")
    if found["damage"]:
        lines.append(f"damage     {found['damage']}")
    heads = ["listens on"] + [""] * len(found["listen"])
    return lines + [f"{head:<11}{address}" for head, address in zip(heads, found["listen"], strict=False)]


def _search(found: dict[str, Any]) -> list[str]:
    """The node's part in searching: whose list it keeps, or who keeps its own."""
    supers = [one["called"] for one in found["registered_with"]]
    if found["role"] == "off":
        text = "off: it neither searches others nor is searched"
    elif found["role"] == "super":
        text = f"super-peer, {units.count(found['registered_here'], 'peer')} registered"
    elif not supers:
        text = "at connected peers: it is registered with no super-peer"
    else:
        text = f"registered with {units.count(len(supers), 'super-peer')}"
    return [f"search     {text}", *(f"{'':11}{one}" for one in supers)]


def _peer_lines(found: dict[str, Any]) -> list[str]:
    """What a peer said of itself."""
    lines = [
        f"peer       {found['called']}",
        f"answered   in {found['response_ms']:.2f} ms",
        f"program    {found['agent']}",
        f"roles      {', '.join(found['roles']) or 'none'}",
        f"load       {found['load_percent']} % of its inbound connections are taken",
    ]
    details = found["details"]
    if details is None:
        return [*lines, "           (it tells more to its contacts)"]
    sizes = units.size(details["bytes_in"]), units.size(details["bytes_out"])
    streams = units.count(details["streams"], "stream")
    return [
        *lines,
        f"up         {units.span(details['uptime_s'])}",
        f"peers      {details['peers_connected']} connected, {details['peers_known']} known",
        f"sockets    {details['inbound']} inbound, {details['outbound']} outbound, {streams}",
        f"traffic    {sizes[0]} in, {sizes[1]} out",
        f"dht        {details['dht_mode']}, {units.count(details['dht_peers'], 'peer')}",
    ]


def _store(found: dict[str, Any]) -> list[str]:
    """What the index is shared by, and how that goes."""
    counts = f"{units.count(found['elsewhere'], 'peer')} at other super-peers"
    waiting = f", {found['waiting']} to be shared" if found["waiting"] else ""
    lines = [f"store      {found['store']}, {counts}{waiting}"]
    return [*lines, f"           {found['problem']}"] if found["problem"] else lines


def _discovery(found: dict[str, Any]) -> list[str]:
    """Which discoveries do something, what came of it, and why the local network is left out if it is."""
    active = [f"{one['name']} ({one['note']})" for one in found["sources"] if one["active"]]
    counts = f"{found['found']} found, {found['met']} met in {units.count(found['tried'], 'dial')}"
    lines = [f"discovery  {counts}", *(f"{'':11}by {one}" for one in active)]
    silent = [one["note"] for one in found["sources"] if one["name"] == "mdns" and not one["active"]]
    return lines + [f"{'':11}not by mdns: {note}" for note in silent]
