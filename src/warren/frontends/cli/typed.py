"""Kinds of words that several commands take: sizes, speeds, numbers of transfers.

In:  what somebody typed. Out: numbers. Refuses what is none, in words.
"""

from __future__ import annotations

from typing import Any

import click

from warren.frontends.cli import units

NO_LIMIT = "none"
AS_SET = "default"


class Size(click.ParamType[int]):
    """An amount of bytes: 500k, 1M, 2.5 GB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else units.parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Limit(Size):
    """Bytes a second: a size, `none` (0), or `default` (-1: as the settings say)."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value in {NO_LIMIT, AS_SET}:
            return 0 if value == NO_LIMIT else -1
        return super().convert(str(value).removesuffix("/s"), param, ctx)
