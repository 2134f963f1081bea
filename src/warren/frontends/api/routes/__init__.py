"""The routes of the API, one module for each kind of thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

if TYPE_CHECKING:
    from warren.node import Node


def _node(request: Request) -> Any:
    return request.app.state.node


# At run time FastAPI needs only the dependency; the type is for the reader and the checker.
if TYPE_CHECKING:
    NodeHere = Annotated[Node, Depends(_node)]
else:
    NodeHere = Annotated[Any, Depends(_node)]


def streams(result: type[BaseModel] | None) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI describes a stream whose last line is `result` (None: it has no end of its own)."""
    if result is None:
        return {200: {"content": {"application/x-ndjson": {}}, "description": "One document a line"}}
    return {200: {"model": result, "description": "NDJSON: progress lines, then this, with event: result"}}
