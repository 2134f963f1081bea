"""dht: put and get values, say and find who has content, find peers."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click

from warren.core.errors import ContentUnknown, InputError, PeerUnknown
from warren.frontends.cli import octets, offers, units
from warren.frontends.cli.base import Group, Session, cannot_write, columns
from warren.frontends.printable import printable

_NAME_AS = click.option(
    "--name-as", type=octets.FORMS, default="text", show_default=True, help="How NAME is written here."
)
_OURS = "/warren/"


@click.group(cls=Group, examples=["warren dht put greeting 'hello all'", "warren dht get anna/greeting"])
def dht() -> None:
    """Put and get values, find content and peers, without anybody in the middle.

    The DHT is a table that all nodes keep together. What you put is signed with your identity, stands under
    names of your own, and can be read by everybody. Your node puts it again every day, until warren dht rm.
    """


@dht.command(
    "put",
    examples=[
        "warren dht put greeting 'hello all'",
        "warren dht put 'my notes' --value-file notes.txt",
        "head -c 100 /dev/urandom | warren dht put noise -",
        "warren dht put --name-as hex 00ff --value-as base64 3q2+7w==",
        "warren dht put --record /ipns/k51... --value-file name.ipns-record",
    ],
    exits=(6, 8),
)
@click.argument("name")
@click.argument("value", required=False)
@click.option("--value-file", metavar="FILE|-", help="Take the value from a file, or from stdin.")
@_NAME_AS
@click.option(
    "--value-as", type=octets.FORMS, default="text", show_default=True, help="How VALUE is written here."
)
@click.option(
    "--record", is_flag=True, help="NAME is a whole key, and the value a finished record (/ipns/, /pk/)."
)
@click.pass_obj
def put(
    session: Session,
    name: str,
    value: str | None,
    value_file: str | None,
    name_as: str,
    value_as: str,
    record: bool,
) -> None:
    """Publish VALUE under NAME, and print the key by which all can get it.

    NAME is any 1 to 512 bytes, VALUE up to 63 KiB: with spaces and binary too. VALUE - reads stdin. It takes
    the place of the value before. Where nobody is there to take it, this ends with 6, and your node puts it
    as soon as somebody comes.
    """
    _ = session.client  # whether a node runs, before anything is read
    content = octets.read_value(value, value_file, value_as)
    if record:
        wanted = {**_named("key", name, name_as), "value_base64": octets.in_base64(content)}
        done = _result(session, "put-record", wanted)
    else:
        wanted = {**_named("name", name, name_as), "value_base64": octets.in_base64(content)}
        done = _result(session, "put", wanted)
    session.show(done, [done["key"] if done["key"] is not None else _in_hex(done)])
    session.note(f"{units.count(done['stored'], 'peer')} of {done['asked']} took it")
    if done["key"] is None:
        session.note("a name that is no text: warren dht get --name-as hex takes it as it is shown")


@dht.command(
    "get",
    examples=[
        "warren dht get anna/greeting",
        "warren dht get '/warren/12D3KooW.../my notes'",
        "warren dht get --name-as hex anna/00ff -o noise.bin",
        "warren dht get anna/noise --as hex",
        "warren dht get /ipns/k51... -o name.ipns-record",
    ],
    exits=(4, 5, 6, 8),
)
@click.argument("key", metavar="PEER/NAME|NAME|KEY", shell_complete=offers.peers)
@click.option(
    "-o", "--output", metavar="FILE|-", help="Write the bytes to a new file; - to stdout, as they are."
)
@_NAME_AS
@click.option(
    "--as",
    "shown_as",
    type=octets.FORMS,
    help="How to show it.  [default: the bytes; on a terminal base64 where they are no text]",
)
@click.pass_obj
def get(session: Session, key: str, output: str | None, name_as: str, shown_as: str | None) -> None:
    """Print the value of a peer's NAME, of your own, or of a whole KEY that begins with /.

    Through a pipe, and with -o, come exactly the bytes that were put. On a terminal text gets a line end, and
    what a terminal cannot show is written in base 64.
    """
    if output == "-" and session.as_json:
        raise click.UsageError("-o - and --json both want stdout; choose one")
    if output not in (None, "-") and Path(str(output)).exists():
        raise InputError(f"{output} is there already", hint="name a file that is not")
    found = _look_up(session, key, name_as)
    content = base64.b64decode(found["value_base64"])
    if output not in (None, "-"):
        _write(Path(str(output)), content)
    if session.as_json:
        session.show_json(found)
    elif output in (None, "-"):
        octets.write(session, content, "bytes" if output == "-" else shown_as)
    if found["called"]:
        session.note(f"signed by {found['called']}")


@dht.command("list", examples=["warren dht list", "warren dht list --json"])
@click.pass_obj
def list_published(session: Session) -> None:
    """List what your node publishes: values by name, and content that it provides."""
    found = session.client.get("dht", "published")["items"]
    session.show({"items": found}, lambda: _table(session, found))


@dht.command(
    "rm",
    examples=["warren dht rm greeting", "warren dht rm --name-as hex 00ff", "warren dht rm bafybei..."],
    exits=(4, 8),
)
@click.argument("name", metavar="NAME|KEY|CID")
@_NAME_AS
@click.pass_obj
def remove(session: Session, name: str, name_as: str) -> None:
    """Publish a value, or provide content, no longer.

    Nobody can be made to forget: others may keep it for up to two days.
    """
    cids = {one["cid"] for one in session.client.get("dht", "published")["items"]}
    wanted = {"cid": name} if name in cids else _named("name", name, name_as)
    removed = session.client.post("dht", "take-back", body=wanted)
    session.show(removed, [f"published no longer: {removed['taken_back']}"])


@dht.command("provide", examples=["warren dht provide bafybei..."], exits=(6, 8))
@click.argument("cid")
@click.pass_obj
def provide(session: Session, cid: str) -> None:
    """Say that your node has content, from now on, so that others find it by its content id.

    This tells everybody that you have it; who may fetch it is up to warren share.
    """
    done = _result(session, "provide", {"cid": cid})
    session.show(done, [done["cid"]])
    session.note(f"{units.count(done['stored'], 'peer')} of {done['asked']} took note of it")


@dht.command(
    "find-providers",
    examples=["warren dht find-providers bafybei...", "warren dht find-providers Qm... --count 5"],
    exits=(4, 6),
)
@click.argument("cid")
@click.option(
    "--count",
    metavar="N",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many at most.",
)
@click.pass_obj
def find_providers(session: Session, cid: str, count: int) -> None:
    """Print who has content, as they are found: peer id, then addresses.

    Every content id of the same bytes (CIDv0 and CIDv1, raw and dag-pb) finds the same. With --json, one
    document for each, then one for all.
    """
    found = 0
    for line in session.client.stream("POST", "dht", "find-providers", body={"cid": cid, "count": count}):
        if session.as_json:
            session.show_json(line)
        elif line["event"] == "progress":
            for text in _where(line):
                click.echo(printable(text))
        found += line["event"] == "progress"
    if not found:
        raise ContentUnknown(
            f"nobody says that they have {cid}", hint="they may be offline, or in another DHT"
        )


@dht.command(
    "find-peer", examples=["warren dht find-peer 12D3KooW...", "warren dht find-peer anna"], exits=(4, 6)
)
@click.argument("peer", shell_complete=offers.peers)
@click.pass_obj
def find_peer(session: Session, peer: str) -> None:
    """Print the addresses of a peer, by its whole peer id, a petname, or a number of the last listing."""
    found = _result(session, "find-peer", {"peer": session.peer(peer)})
    session.show(found, found["addresses"])
    how = "it is connected" if found["reached"] else "nobody answers there now"
    hops = f", found in {units.count(found['hops'], 'hop')}" if found["hops"] else ""
    none = "" if found["addresses"] else "; no address of it is known"
    session.note(f"{found['called']}: {how}{hops}{none}")


@dht.command("status", examples=["warren dht status"])
@click.pass_obj
def status(session: Session) -> None:
    """Show how the DHT of your node is doing."""
    found = session.client.get("dht")
    session.show(found, lambda: _status(found))


def _named(what: str, text: str, form: str) -> dict[str, str]:
    """A name or key as the API takes it."""
    return octets.in_json(what, octets.decoded(text, form, "NAME"))


def _in_hex(done: dict[str, Any]) -> str:
    """A key under a name that is no text, with that name in hex."""
    parts = base64.b64decode(done["key_base64"]).split(b"/", 3)
    return f"/{parts[1].decode()}/{parts[2].decode()}/{parts[3].hex()}"


def _result(session: Session, what: str, body: dict[str, Any]) -> dict[str, Any]:
    for line in session.client.stream("POST", "dht", what, body=body):
        if line["event"] == "result":
            return line
    return {}


def _look_up(session: Session, key: str, name_as: str) -> dict[str, Any]:
    """Ask for a whole key, a name of a peer, or one of ours, which may hold slashes too."""
    if key.startswith("/" if name_as == "text" else _OURS):
        return _result(session, "get", _whole_key(key, name_as))
    peer, slash, name = key.partition("/")
    if not peer or not slash:
        return _result(session, "get", _named("name", key, name_as))
    try:
        return _result(session, "get", {"peer": session.peer(peer), **_named("name", name, name_as)})
    except PeerUnknown:
        own = octets.decoded(key, name_as, "NAME") if name_as != "hex" else b""
        published = session.client.get("dht", "published")["items"]
        if not any(one["name_base64"] == octets.in_base64(own) for one in published):
            raise
        return _result(session, "get", _named("name", key, name_as))


def _whole_key(key: str, name_as: str) -> dict[str, str]:
    """A key, of which only the name under /warren/PEER-ID/ may be written in another form."""
    if name_as == "text":
        return _named("key", key, name_as)
    parts = key.split("/", 3)
    if len(parts) < 4:
        raise click.UsageError(f"{key} is not /warren/PEER-ID/NAME, whose NAME can be written as {name_as}")
    raw = "/".join(parts[:3]).encode() + b"/" + octets.decoded(parts[3], name_as, "NAME")
    return {"key_base64": octets.in_base64(raw)}


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error


def _where(one: dict[str, Any]) -> list[str]:
    return [one["peer_id"], *(f"    {address}" for address in one["addresses"])]


def _table(session: Session, found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return [f"nothing is published: {session.command('dht put NAME VALUE')}"]
    head = ("KIND", "NAME", "LAST PUT", "NEXT")
    rows = [(*_title(one), _when(one["put_at"]), _next(one["next_in_s"])) for one in found]
    return columns([head, *rows])


def _title(one: dict[str, Any]) -> tuple[str, str]:
    if one["cid"] is not None:
        return "content", one["cid"]
    if one["name"] is not None:
        return "value", one["name"]
    if one["name_base64"] is not None:
        return "value", f"hex {base64.b64decode(one['name_base64']).hex()}"
    return "record", one["key"] if one["key"] is not None else f"base64 {one['key_base64']}"


def _when(put_at: float | None) -> str:
    import time

    if put_at is None:
        return "not yet"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(put_at))


def _next(next_in_s: float | None) -> str:
    return "now" if next_in_s is None else f"in {units.span(next_in_s)}"


def _status(found: dict[str, Any]) -> list[str]:
    says = {
        "off": "switched off (setting dht.mode)",
        "client": "client: it asks, and answers nobody",
        "server": "server: it asks, and answers others",
    }
    return [
        f"mode      {says[found['mode']]}",
        f"protocol  {found['protocol']}",
        f"peers     {found['peers']:,} known",
        f"keeps     {units.count(found['records'], 'record')}, {units.count(found['providers'], 'provider')}",
        f"publishes {units.count(found['published'], 'thing')}",
    ]
