"""The options that say something of a file or folder, for `share` and `resource edit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

# option of one name -> field of the API that holds several
_SEVERAL = {"author": "authors", "domain": "domains", "tag": "tags"}
_OPTIONS = (
    click.option("--title", metavar="TEXT", help="What it is called."),
    click.option("--abstract", metavar="TEXT", help="What it is about."),
    click.option("--author", metavar="NAME", multiple=True, help="Who made it; repeatable."),
    click.option("--domain", metavar="NAME", multiple=True, help="Knowledge domain, as botany; repeatable."),
    click.option("--tag", metavar="NAME", multiple=True, help="A word to find it by; repeatable."),
    click.option("--licence", metavar="TEXT", help="Its licence, as CC-BY-4.0."),
)


def metadata_options(command: F) -> F:
    """Add the options; `given` takes what they say out of the parameters."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """What was said, as the API takes it: without what was not; "" says that a field is empty."""
    said = {name: options[name] for name in ("title", "abstract", "licence") if options[name] is not None}
    return said | {
        field: [one for one in options[name] if one] for name, field in _SEVERAL.items() if options[name]
    }
