"""Write docs/limits.md from what stands beside each number in the code, so that the page cannot be wrong.

    python tools/limits.py            write it
    python tools/limits.py --check    write nothing; exit 1 if the page is stale

A setting is explained either by a string right below it or by a `name: text` paragraph in its class. A
constant of a module is a limit when the string or the comment at it names the attack or the fault it stops,
or when it is called SOMETHING_BYTES_MAX and explained.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "warren"
PAGE = ROOT / "docs" / "limits.md"

HEAD = """\
# Limits

What bounds the work and the memory that others can cause, and what each bound stops. The defaults are shown;
in the configuration a limit is called by its dotted name (`warren config show`). This page is made from the
code by `tools/limits.py`.
"""

# (heading, prefix of the setting, file, class)
SETTINGS = (
    ("Connections", "network.", "network/config.py", "NetworkConfig"),
    ("Streams of one connection", "network.yamux.", "network/yamux/session.py", "YamuxLimits"),
    ("Memory promised to senders", "network.windows.", "network/yamux/budget.py", "WindowLimits"),
    ("Files", "files.", "services/files/config.py", "FilesConfig"),
    ("Peers", "peers.", "services/peers/config.py", "PeersConfig"),
    ("Discovery", "discovery.", "services/discovery/config.py", "DiscoveryConfig"),
    ("The directory", "directory.", "services/directory/config.py", "DirectoryConfig"),
    ("The overlay of super-peers", "overlay.", "services/overlay/config.py", "OverlayConfig"),
    ("Queries of others", "services.overlay.routing.", "services/overlay/routing.py", "RoutingLimits"),
    ("Whom discovery dials", "", "services/discovery/choice.py", "ChoicePolicy"),
    ("The DHT", "dht.", "protocols/kad/config.py", "KadConfig"),
    ("Peers known in the DHT", "dht.table.", "protocols/kad/routing_table.py", "TableConfig"),
    ("Look-ups in the DHT", "dht.lookup.", "protocols/kad/lookup.py", "LookupConfig"),
    ("Kept of the DHT for others", "dht.store.", "protocols/kad/store.py", "StoreConfig"),
    ("Probes of peers", "services.peers.probe_policy.", "services/peers/probe_policy.py", "ProbePolicy"),
    ("Presence", "presence.", "services/presence/config.py", "PresenceConfig"),
    ("Votes at a super-peer", "services.presence.votes.", "services/presence/votes.py", "VotePolicy"),
    ("Guesses at the code of a send", "protocols.send.guesses.", "protocols/send/guesses.py", "GuessLimits"),
    ("Senders told of", "protocols.send.channels.", "protocols/send/channels.py", "ChannelLimits"),
    ("The local API", "api.", "config.py", "ApiConfig"),
    ("The status listener", "status.", "config.py", "StatusConfig"),
)
# What makes a constant of a module a limit: its explanation names what it is against.
AGAINST = re.compile(r"\b(Attack|Fault|Stops)\b|: stops|cannot make|holds no more")
UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def main() -> int:
    """Write or check the page."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("stale: docs/limits.md; run tools/limits.py")
        return 1
    return 0


def page() -> str:
    """The whole page as it should be."""
    parts = [HEAD]
    for heading, prefix, file, name in SETTINGS:
        rows = [(f"{prefix}{field}", value, text) for field, value, text in settings(file, name)]
        parts.append(f"\n## {heading}\n{table(rows)}")
    below = [path for path in sorted(PACKAGE.rglob("*.py")) if "frontends" not in path.parts]
    rows = [row for path in below for row in fixed(path)]
    parts.append(f"\n## Fixed\n{table(rows)}")
    return "".join(parts)


def table(rows: list[tuple[str, str, str]]) -> str:
    """Rows of a name, a value and an explanation as Markdown."""
    lines = ["| limit | value | what it is and stops |", "|---|---|---|"]
    lines += [f"| `{name}` | {value} | {text[0].upper()}{text[1:]} |" for name, value, text in rows]
    return "\n".join(lines) + "\n"


def settings(file: str, name: str) -> list[tuple[str, str, str]]:
    """(field, default, explanation) of each number in the dataclass `name`."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    klass = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    named = paragraphs(ast.get_docstring(klass) or "")
    found: list[tuple[str, str, str]] = []
    for at, node in enumerate(klass.body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            continue
        number = number_in(node.value)
        if not number:  # 0 leaves the choice to the system, which is no limit
            continue
        field = node.target.id
        text = string_below(klass.body, at) or named.get(field) or ""
        if not text and found and f"`{field}`" in found[-1][2]:
            text = "see the line above"
        if not text:
            raise SystemExit(f"{file}: {name}.{field} does not say what it is for")
        found.append((field, shown(field, number), text))
    return found


def fixed(path: Path) -> list[tuple[str, str, str]]:
    """(dotted name, value, explanation) of each public constant of a module that is a limit."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    module = str(path.relative_to(PACKAGE).with_suffix("")).replace("/", ".")
    found = []
    for at, node in enumerate(tree.body):
        if not isinstance(node, ast.AnnAssign | ast.Assign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        number = number_in(node.value)
        if not isinstance(target, ast.Name) or number is None or target.id.startswith("_"):
            continue
        text = string_below(tree.body, at) or comment_at(source.splitlines(), node.lineno)
        if AGAINST.search(text) or (text and target.id.endswith("_BYTES_MAX")):
            found.append((f"{module}.{target.id}", shown(target.id, number), text))
    return found


def string_below(body: list[ast.stmt], at: int) -> str:
    """The string statement that follows `body[at]`, on one line."""
    after = body[at + 1] if at + 1 < len(body) else None
    if (
        isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    ):
        return " ".join(after.value.value.split())
    return ""


def comment_at(lines: list[str], number: int) -> str:
    """The comment on line `number`, or those right above it."""
    own = lines[number - 1].partition("  # ")[2]
    above: list[str] = []
    first = number - 1
    while first and re.match(r"_?[A-Z_]+(: Final)? = ", lines[first - 1]):
        first -= 1  # one comment may stand above several constants
    for line in reversed(lines[:first]):
        if not line.startswith("# "):
            break
        above.insert(0, line[2:])
    return own or " ".join(above)


def paragraphs(docstring: str) -> dict[str, str]:
    """`name: text` paragraphs of a docstring; indented lines go on."""
    found: dict[str, str] = {}
    name = ""
    for line in docstring.splitlines():
        starts = re.match(r"([a-z_]+): (.*)", line)
        if starts:
            name = starts[1]
            found[name] = starts[2]
        elif name and line.startswith(" "):
            found[name] += " " + line.strip()
        else:
            name = ""
    return found


def number_in(node: ast.expr) -> float | None:
    """The number that a constant expression stands for."""
    try:
        value = eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}})  # noqa: S307 - our own code
    except NameError:
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def shown(name: str, number: float) -> str:
    """The number with the unit that its name ends in."""
    if "bytes" in name.lower():
        for unit, size in UNITS:
            if number % size == 0 and number:
                return f"{number / size:g} {unit}"
        return f"{number:,} bytes"
    if re.search(r"_per_s$", name):
        return f"{number:g} /s"
    return f"{number:g} s" if name.lower().endswith("_s") else f"{number:,}"


if __name__ == "__main__":
    sys.exit(main())
