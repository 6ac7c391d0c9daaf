"""One format for everything that goes wrong: `{"error": {"code", "message", "where"}}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gsrec.errors import ConfigError, DataError, GSRecError
from gsrec.serving.methods import methods_of


class StoreError(GSRecError):
    """The place where sessions are kept does not answer or does not take them."""


class ApiError(Exception):
    """An answer that says what went wrong.

    Attributes:
        status: of the answer.
        code: for programs.
        message: for people: what is wrong, and what to do.
        where: the part of the request that is meant, such as `body.k`.
        headers: of the answer, besides.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        where: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what went wrong."""
        super().__init__(message)
        self.status, self.code, self.message, self.where = status, code, message, where
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer itself."""
        told = {"error": {"code": self.code, "message": self.message, "where": self.where}}
        content = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
        return Response(content, self.status, self.headers, "application/json")


def not_now(code: str, reason: str) -> ApiError:
    """Say that the same request will do a little later."""
    return ApiError(503, code, f"{reason}. Try again in a second.", headers={"Retry-After": "1"})


UNEXPECTED = ApiError(500, "internal", "this is a bug in the server. Its log says where; the request was not at fault.")

ITEM_ID = "constrained-"
UNION_PARTS = (ITEM_ID, "list[")
"""What stands in the place of a value for the alternatives that were tried."""

NO_ITEM_ID = "an item id is a whole number of 64 bits, or a text of 1 to 256 characters."
NO_FIELD = "there is no such field here. GET /docs lists those that there are."
MAX_WHERE = 100

CODES = {404: "not_found", 400: "unreadable"}
"""The codes of what routing and reading refuse."""


def of_library(error: GSRecError) -> ApiError:
    """What the library refuses, as an answer."""
    if isinstance(error, StoreError):
        return ApiError(503, "no_store", str(error), headers={"Retry-After": "1"})
    if isinstance(error, ConfigError | DataError):
        return ApiError(422, "invalid", str(error))
    return ApiError(503, "not_usable", str(error))


def of_validation(error: ValidationError | RequestValidationError) -> ApiError:
    """The first of the values that are invalid, as an answer: 400 where the body cannot be read at all."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return ApiError(400, "unreadable", "the body is no JSON that can be read. Send one JSON object.", where="body")
    whole = () if isinstance(error, RequestValidationError) else ("body",)
    place = [str(part) for part in (*whole, *first["loc"])]
    where = ".".join(part for part in place if not part.startswith(UNION_PARTS))[:MAX_WHERE]
    told = NO_FIELD if first["type"] == "extra_forbidden" else first["msg"]
    told = NO_ITEM_ID if place[-1].startswith(ITEM_ID) else told
    return ApiError(422, "invalid", f"{where}: {told.removeprefix('Value error, ')}", where=where)


def of_http(error: HTTPException) -> ApiError:
    """What routing refuses, as an answer."""
    told = {
        404: "there is no such path. GET /docs lists those that there are.",
        400: "the body cannot be read. Send one JSON object in UTF-8.",
    }.get(error.status_code, str(error.detail))
    return ApiError(error.status_code, CODES.get(error.status_code, "refused"), told, headers=error.headers)


def of_method(allowed: str) -> ApiError:
    """A method that a path does not take, as an answer; it takes those that are allowed."""
    told = f"this path does not take this method, only {allowed}."
    return ApiError(405, "method_not_allowed", told, headers={"Allow": allowed})


def as_answer(error: Exception) -> ApiError:
    """Whatever was raised, as an answer."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return of_validation(error)
    if isinstance(error, HTTPException):
        return of_http(error)
    assert isinstance(error, GSRecError)
    return of_library(error)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer a request with what was raised."""
    is_method = isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    return (of_method(methods_of(request)) if is_method else as_answer(error)).response()
