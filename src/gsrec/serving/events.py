"""The one question that is asked a thousand times a second: new events of a session, and what comes next."""

from __future__ import annotations

import re

from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gsrec.errors import GSRecError
from gsrec.recommend.rules import Rules
from gsrec.serving.answers import answer, as_json
from gsrec.serving.batch import SessionRequest
from gsrec.serving.errors import ApiError, as_answer
from gsrec.serving.schemas import SESSION_ID, EventsRequest, Wishes
from gsrec.serving.security import CALLER, Caller
from gsrec.serving.service import Service
from gsrec.serving.store import SessionKey

PATH = "/v1/sessions/{session_id}/events"
BEGIN, END = PATH.split("{session_id}")

ROUTE = "gsrec.route"
"""Where in a request's scope the pattern of its path stands, if the framework did not find it."""


class EventsDoor:
    """Lets session events past the framework, whose routing and checks take longer than the model."""

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        """Stand before an app, which answers everything else."""
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer session events, and hand on what is none."""
        path = scope["path"] if scope["type"] == "http" and scope["method"] == "POST" else ""
        session_id = path[len(BEGIN) : -len(END)]
        if not path.startswith(BEGIN) or not path.endswith(END) or "/" in session_id or not session_id:
            await self._app(scope, receive, send)
            return
        scope[ROUTE] = PATH
        try:
            response = await add_events(self._service, scope[CALLER], session_id, (await receive())["body"])
        except (ApiError, ValidationError, GSRecError) as error:
            response = as_answer(error).response()
        await response(scope, receive, send)


async def add_events(service: Service, caller: Caller, session_id: str, body: bytes) -> Response:
    """Add the events of a body to a session; when it returns they are kept.

    Raises:
        ApiError: if the session's id is none, or the events cannot be taken.
        ValidationError: if the body is not as it must be.
        GSRecError: if rules leave nothing, or the store does not take it.
    """
    if not re.fullmatch(SESSION_ID, session_id):
        told = "a session's id is 1 to 64 letters, digits and _.:- beginning with a letter or digit."
        raise ApiError(422, "invalid", told, where="path.session_id")
    wanted = EventsRequest.model_validate_json(body)
    key = SessionKey(caller.owner, session_id)
    found = await service.engine.add(
        SessionRequest(key, wanted.events, wanted.k, wanted.model, wanted.filter_seen, wished_rules(wanted))
    )
    told_of = answer(found.model, found.recommendation, service.contents.titles)
    return as_json({**told_of, "session_id": session_id, "num_events": found.num_events})


def wished_rules(wanted: Wishes) -> Rules | None:
    """Which items may come; None: all."""
    if not wanted.exclude and wanted.only is None and not wanted.boosts:
        return None
    return Rules(wanted.exclude, wanted.only, {boost.item_id: boost.factor for boost in wanted.boosts})
