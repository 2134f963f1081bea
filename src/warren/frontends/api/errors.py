"""Errors as JSON: {"error", "message", "hint", "code", "candidates"}.

In:  an exception.
Out: its HTTP status and its document; `code` is the exit code that the command line would give.

What is no `WarrenError` is a bug: it is logged with its traceback; the caller learns only that it happened.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from warren.core.errors import Ambiguous, InputError, WarrenError

_LOG = logging.getLogger(__name__)
_BUG_EXIT = 70


def status_of(error: BaseException) -> int:
    """The HTTP status that the error maps to."""
    return error.http_status if isinstance(error, WarrenError) else 500


def document_of(error: BaseException) -> dict[str, Any]:
    """The error as a JSON document."""
    if not isinstance(error, WarrenError):
        return document(
            "InternalError", "the node hit a bug", "see what happened with: warren logs", _BUG_EXIT
        )
    candidates = error.candidates if isinstance(error, Ambiguous) else []
    return document(type(error).__name__, str(error), error.hint, error.exit_code, candidates)


def document(
    error: str, message: str, hint: str, code: int, candidates: list[str] | None = None
) -> dict[str, Any]:
    """An error document from its parts."""
    return {"error": error, "message": message, "hint": hint, "code": code, "candidates": candidates or []}


def encode(body: object) -> bytes:
    """One JSON document in the API's form: UTF-8, compact, in the order given."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def report_bug(error: BaseException) -> None:
    """Log an exception that nobody foresaw."""
    if not isinstance(error, WarrenError):
        _LOG.error("unexpected %s in the API", type(error).__name__, exc_info=error)


def invalid_request(problems: list[dict[str, Any]]) -> InputError:
    """What pydantic found wrong with a request, as one of our errors."""
    first = problems[0] if problems else {}
    hint = "see /openapi.json for what is expected"
    if first.get("type") == "json_invalid":
        what = first.get("ctx", {}).get("error", "")
        return InputError(f"the request's body is not JSON: {what} (character {first['loc'][-1]})", hint=hint)
    if tuple(first.get("loc", ())) == ("body",):
        message = "the request's body must be a JSON object, sent with Content-Type: application/json"
        return InputError(message, hint=hint)
    place = ".".join(str(part) for part in first.get("loc", ())[1:]) or "the request"
    return InputError(f"{place}: {first.get('msg', 'not valid')}", hint=hint)
