"""What can be asked, one function a question."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from gsrec.errors import GSRecError
from gsrec.serving import schemas
from gsrec.serving.answers import answer, as_json, explanation, named_items, session_state
from gsrec.serving.errors import ApiError
from gsrec.serving.events import add_events, wished_rules
from gsrec.serving.security import CALLER, Caller
from gsrec.serving.service import Service
from gsrec.serving.store import SessionKey

router = APIRouter(prefix="/v1")


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


Has = Annotated[Service, Depends(_service)]
Who = Annotated[Caller, Depends(_caller)]
SessionIdInPath = Annotated[
    str,
    Path(pattern=schemas.SESSION_ID, description="Chosen by the caller: letters, digits and _.:-", examples=["shop-1"]),
]
ItemIdInPath = Annotated[str, Path(min_length=1, max_length=schemas.MAX_ID, description="An item id.", examples=["1"])]
ModelInQuery = Annotated[str | None, Query(max_length=schemas.MAX_ID, description="Which model; none: the default.")]


@router.post("/recommend", responses=schemas.answers(schemas.Answer, 404))
async def recommend(wanted: schemas.RecommendRequest, service: Has) -> Response:
    """What comes next after a history; nothing is kept of it."""
    model = service.contents.models.find(wanted.model)
    question = partial(
        model.recommender.recommend,
        wanted.history,
        wanted.k,
        filter_seen=wanted.filter_seen,
        rules=wished_rules(wanted),
    )
    return as_json(answer(model, await service.answer(question), service.contents.titles))


@router.post(
    "/sessions/{session_id}/events",
    responses=schemas.answers(schemas.SessionAnswer, 404),
    openapi_extra=schemas.body_of(schemas.EventsRequest),
)
async def add_session_events(session_id: SessionIdInPath, request: Request, service: Has, caller: Who) -> Response:
    """Add events to a session, which begins with its first; gives what comes next. They are kept when this answers."""
    return await add_events(service, caller, session_id, await request.body())


@router.get("/sessions/{session_id}", responses=schemas.answers(schemas.SessionState, 404))
async def read_session(session_id: SessionIdInPath, service: Has, caller: Who) -> Response:
    """The events of a session, oldest first."""
    stored = await service.read_session(SessionKey(caller.owner, session_id))
    if stored is None:
        raise _no_session()
    return as_json(session_state(session_id, stored, service.contents.titles))


@router.delete("/sessions/{session_id}", status_code=204, responses=schemas.answers(None, 404, status=204))
async def delete_session(session_id: SessionIdInPath, service: Has, caller: Who) -> Response:
    """Forget a session and all its events."""
    if not await service.engine.delete(SessionKey(caller.owner, session_id)):
        raise _no_session()
    return Response(status_code=204)


@router.get("/items", responses=schemas.answers(schemas.Items))
async def find_items(
    service: Has,
    query: Annotated[str, Query(max_length=200, description="A part of the title, or the id.", examples=["1"])] = "",
    limit: Annotated[int, Query(ge=1, le=schemas.MAX_LIMIT)] = 20,
) -> Response:
    """Items whose title or id has this text in it: words that begin with it first, then by popularity."""
    titles = service.contents.titles
    return as_json({"items": named_items(await service.answer(partial(titles.find, query, limit)), titles)})


@router.get("/items/{item_id:path}/similar", responses=schemas.answers(schemas.Answer, 404))
async def similar_items(
    item_id: ItemIdInPath,
    service: Has,
    k: Annotated[int, Query(ge=1, le=schemas.MAX_K)] = 10,
    model: ModelInQuery = None,
) -> Response:
    """Items that follow and precede the same as this one; scores are cosines."""
    served = service.contents.models.find(model, "query.model")
    served.check_item(item_id, "path.item_id", 404)
    found = await service.answer(partial(served.recommender.similar_items, item_id, k))
    return as_json(answer(served, found, service.contents.titles))


@router.post("/explain", responses=schemas.answers(schemas.ExplainAnswer, 404))
async def explain_item(wanted: schemas.ExplainRequest, service: Has) -> Response:
    """Why an item has its score after a history: by how much each event raises it."""
    model = service.contents.models.find(wanted.model)
    if wanted.item_id is not None:
        model.check_item(wanted.item_id, "body.item_id", 422)
    found = await service.explain(partial(model.recommender.explain, wanted.history, wanted.item_id))
    return as_json(explanation(model, found, service.contents.titles))


@router.get("/models", responses=schemas.answers(schemas.ModelList))
async def list_models(service: Has) -> Response:
    """The models that are served; the first is the default."""
    return as_json(await service.answer(service.contents.models.record))


@router.get("/users", responses=schemas.answers(schemas.Users, 404))
async def some_users(
    service: Has,
    limit: Annotated[int, Query(ge=1, le=schemas.MAX_LIMIT)] = 10,
    seed: Annotated[int, Query(ge=0, le=2**32 - 1)] = 0,
) -> Response:
    """Some users of the server's log, drawn by a seed."""
    return as_json({"users": await service.answer(partial(service.replay().some, limit, seed))})


@router.get("/users/{user_id:path}", responses=schemas.answers(schemas.UserHistory, 404))
async def read_user(
    user_id: Annotated[str, Path(min_length=1, max_length=schemas.MAX_ID, description="A user id.", examples=["1"])],
    service: Has,
) -> Response:
    """What a user of the log took, the newest events of it: all but the last, and the last."""
    user = await service.answer(partial(service.replay().find, user_id, schemas.MAX_HISTORY))
    if user is None:
        told = "the log has no such user with at least 2 events. GET /v1/users names some."
        raise ApiError(404, "no_user", told, where="path.user_id")
    titles = service.contents.titles
    target = named_items([user.target], titles)[0]
    return as_json({"user_id": user.user_id, "history": named_items(user.history, titles), "target": target})


@router.post("/admin/reload", responses=schemas.answers(schemas.ModelList))
async def reload(service: Has, caller: Who) -> Response:
    """Read bundles, titles and keys again from where they are; sessions stay. If one cannot be read, all stays."""
    if not caller.is_admin:
        told = "this needs an admin key: `gsrec keys new --admin` makes one."
        raise ApiError(403, "not_admin", told)
    try:
        models = await service.reload()
    except GSRecError as error:
        raise ApiError(503, "not_reloaded", f"all stays as it was: {error}") from error
    return as_json(await service.answer(models.record))


def _no_session() -> ApiError:
    return ApiError(
        404, "no_session", "there is no such session of yours. Its first event begins one.", where="path.session_id"
    )
