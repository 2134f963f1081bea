"""The routes of the API, one module for each kind of thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

if TYPE_CHECKING:
    from warren.node import Node


def _node(request: Request) -> Any:
    return request.app.state.node


# At run time FastAPI needs only the dependency; the type is for the reader and the checker.
if TYPE_CHECKING:
    NodeHere = Annotated[Node, Depends(_node)]
else:
    NodeHere = Annotated[Any, Depends(_node)]

NDJSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {}}, "description": "Progress lines, then the result"}
}
