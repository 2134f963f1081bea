"""The API as one ASGI application: routes, errors, guard.

In:  a running node, the token, the limits.
Out: the guarded application. Its description is at `/openapi.json`, which wants the token like all else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

import warren
from warren.config import ApiConfig
from warren.core.errors import WarrenError
from warren.frontends.api.errors import (
    document,
    document_of,
    encode,
    invalid_request,
    report_bug,
    status_of,
)
from warren.frontends.api.grants import Grants
from warren.frontends.api.guard import Guard
from warren.frontends.api.names import with_names
from warren.frontends.api.routes import (
    dht,
    discovery,
    files,
    groups,
    node,
    peers,
    people,
    resources,
    search,
    searches,
    sending,
    status,
    transfers,
)
from warren.frontends.api.schemas import Problem

if TYPE_CHECKING:
    from warren.node import Node

_ABOUT = """The local API of a running Warren node.

Every request needs `Authorization: Bearer TOKEN`; the token is in `api.token` in the data folder, the address
in `api.json`. A file is read as well by who shows a key to it as the password of its address, which
`POST /v1/files/CID/address` makes. Long works answer with NDJSON: lines whose `event` is progress or alive,
last result or error.
"""


def create(
    warren_node: Node, *, token: str, config: ApiConfig, stop: Callable[[], None], status_url: str = ""
) -> Guard:
    """The guarded application.

    stop: asks the program around the node to end. status_url: where its status listener is, if it has one.
    """
    app = FastAPI(
        title="Warren",
        version=warren.__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.node = warren_node
    app.state.stop = stop
    app.state.status_url = status_url
    app.state.grants = Grants(token)
    sections = (
        node,
        peers,
        people,
        groups,
        files,
        transfers,
        sending,
        resources,
        search,
        searches,
        discovery,
        dht,
        status,
    )
    for part in sections:
        app.include_router(part.router, prefix="/v1")
    app.add_exception_handler(WarrenError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_error)
    app.add_exception_handler(Exception, _answer_error)
    limits = {"body_bytes_max": config.body_bytes_max, "requests_max": config.requests_max}
    return Guard(app, token=token, grants=app.state.grants, **limits)


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        name, code = {404: ("NotFound", 4), 405: ("WrongMethod", 2)}.get(error.status_code, ("InputError", 2))
        return _json(error.status_code, document(name, str(error.detail), "see /openapi.json", code))
    if isinstance(error, RequestValidationError):
        error = invalid_request(list(error.errors()))
    report_bug(error)
    return _json(status_of(error), with_names(document_of(error), request.app.state.node))


def _json(status: int, body: object) -> Response:
    return Response(encode(body), status, media_type="application/json")
