"""Whatever is wrong with a request, the answer has one format, and says where and what."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.serving.conftest import Server

from gsrec.errors import BundleError, ConfigError, DataError
from gsrec.serving.body import MAX_BODY, BodyLimit
from gsrec.serving.errors import StoreError, of_library
from gsrec.serving.metrics import Metrics
from gsrec.serving.observer import Observer
from gsrec.serving.schemas import MAX_IDS

EVENTS, RECOMMEND, EXPLAIN = "/v1/sessions/s/events", "/v1/recommend", "/v1/explain"


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, whose form is checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    [(name, error)] = response.json().items()
    assert name == "error"
    assert set(error) == {"code", "message", "where"}
    assert error["code"] == code
    assert len(error["message"]) > 10
    return dict(error)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        (RECOMMEND, {}, "body.history"),
        (RECOMMEND, {"history": [1], "k": 0}, "body.k"),
        (RECOMMEND, {"history": [1], "k": 101}, "body.k"),
        (RECOMMEND, {"history": [1], "k": "5"}, "body.k"),
        (RECOMMEND, {"history": [1], "extra": 1}, "body.extra"),
        (RECOMMEND, {"history": [1] * 2_001}, "body.history"),
        (RECOMMEND, {"history": [1], "boosts": [{"item_id": 1, "factor": 0}]}, "body.boosts.0.factor"),
        (RECOMMEND, {"history": [1], "filter_seen": 1}, "body.filter_seen"),
        (RECOMMEND, [1, 2], "body"),
        (EVENTS, {}, "body"),
        (EVENTS, {"item_id": 1, "item_ids": [1]}, "body"),
        (EVENTS, {"item_id": None}, "body"),
        (EVENTS, {"item_ids": []}, "body.item_ids"),
        (EVENTS, {"item_ids": [1] * 101}, "body.item_ids"),
        (EVENTS, {"item_id": 1, "k": 0}, "body.k"),
        (EVENTS, {"item_id": 1, "extra": 1}, "body.extra"),
        (EVENTS, [1], "body"),
        (EXPLAIN, {"history": [], "item_id": 1}, "body.history"),
        (EXPLAIN, {"history": [1] * 201, "item_id": 1}, "body.history"),
    ],
)
def test_invalid_values_are_told_by_place(server: Server, path: str, body: object, where: str) -> None:
    assert refused(server.client.post(path, json=body), 422, "invalid")["where"] == where


@pytest.mark.parametrize("item", [True, 1.5, None, [], "", "x" * 257, 2**63])
def test_what_is_no_item_id_is_refused(server: Server, item: object) -> None:
    told = refused(server.client.post(EVENTS, json={"item_ids": [1, item]}), 422, "invalid")
    assert told["where"].startswith("body.item_ids.1")
    told = refused(server.client.post(RECOMMEND, json={"history": [1, item]}), 422, "invalid")
    assert told["where"].startswith("body.history.1")


@pytest.mark.parametrize("path", [EVENTS, RECOMMEND, EXPLAIN])
@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"item_id": "\\ud800"}', b"[" * 20_000, b'{"item_id": 1'])
def test_a_body_that_cannot_be_read_is_400(server: Server, path: str, body: bytes) -> None:
    response = server.client.post(path, content=body, headers={"Content-Type": "application/json"})
    if path != EVENTS and body.startswith(b'{"item_id": "'):
        refused(response, 422, "invalid")  # the framework reads it, and finds that it is not what was asked for
    else:
        refused(response, 400, "unreadable")


@pytest.mark.parametrize("path", [EVENTS, RECOMMEND])
def test_a_body_must_be_there_and_be_json(server: Server, path: str) -> None:
    assert server.client.post(path).status_code in (400, 422)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        response = server.client.post(path, content=b'{"item_id": 1}', headers={"Content-Type": kind})
        refused(response, 415, "no_json")
    refused(server.client.post(path, content=b'{"item_id": 1}'), 415, "no_json")


@pytest.mark.parametrize("path", [EVENTS, RECOMMEND, "/v1/admin/reload", "/nothing"])
def test_a_body_over_the_limit_is_413(server: Server, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    refused(server.client.post(path, content=b" " * (MAX_BODY + 1), headers=headers), 413, "too_large")


def test_chunks_are_counted_too(server: Server) -> None:
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(1_000):
            taken += 1
            yield b" " * 1_024

    headers = {"Content-Type": "application/json"}
    refused(server.client.post(EVENTS, content=chunks(), headers=headers), 413, "too_large")


def test_a_body_within_the_limit_is_taken(server: Server) -> None:
    content = json.dumps({"item_id": 1}).encode()
    content += b" " * (MAX_BODY - len(content))
    response = server.client.post(EVENTS, content=content, headers={"Content-Type": "application/json; charset=utf-8"})
    assert response.status_code == 200


def test_a_list_of_as_many_ids_as_are_taken_fits_into_a_body(server: Server) -> None:
    ids = [f"{place:020}" for place in range(MAX_IDS)]
    assert server.ask("POST", "/v1/recommend", {"history": [1, 2], "exclude": ids})["source"] == "model"


def test_a_body_that_does_not_come_is_given_up() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the app is not asked")

    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"\xb25")]}
    asyncio.run(BodyLimit(app, seconds=0.01)(scope, never, send))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["code"] == "too_slow"
    sent.clear()
    asyncio.run(BodyLimit(app)(scope, gone, send))
    assert not sent


def test_chunks_are_put_together_and_then_the_client_is_heard_again() -> None:
    heard: list[Message] = []
    coming: list[Message] = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"c", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([await receive(), await receive()])

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", b"application/json")]}
    asyncio.run(BodyLimit(app)(scope, receive, send))
    assert heard == [{"type": "http.request", "body": b"abc", "more_body": False}, {"type": "http.disconnect"}]


def test_a_mistake_within_an_answer_is_not_answered_twice() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(Observer(app, metrics=Metrics())(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/nothing", None, "not_found"),
        ("GET", "/v1/nothing", None, "not_found"),
        ("GET", "/v1/models/", None, "not_found"),
        ("GET", "/v1/sessions/none", None, "no_session"),
        ("DELETE", "/v1/sessions/none", None, "no_session"),
        ("GET", "/v1/items/99/similar", None, "no_item"),
        ("GET", "/v1/items/ham/similar", None, "no_item"),
        ("GET", "/v1/items/3/similar?model=other", None, "no_model"),
        ("POST", RECOMMEND, {"history": [1], "model": "other"}, "no_model"),
        ("POST", EVENTS, {"item_id": 1, "model": "other"}, "no_model"),
        ("POST", EXPLAIN, {"history": [1], "item_id": 2, "model": "other"}, "no_model"),
        ("GET", "/v1/users", None, "no_log"),
        ("GET", "/v1/users/1", None, "no_log"),
    ],
)
def test_what_is_not_there_is_404(server: Server, method: str, path: str, body: object, code: str) -> None:
    refused(server.client.request(method, path, json=body), 404, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/models"), ("GET", RECOMMEND), ("GET", EVENTS), ("POST", "/healthz"), ("PATCH", "/"), ("BREW", "/")],
)
def test_a_wrong_method_is_405(server: Server, method: str, path: str) -> None:
    response = server.client.request(method, path)
    refused(response, 405, "method_not_allowed")
    assert response.headers["allow"]


def test_a_wrong_method_is_told_all_that_the_path_takes(server: Server) -> None:
    response = server.client.put("/v1/sessions/s")
    assert response.headers["allow"] == "DELETE, GET, HEAD"
    assert "only DELETE, GET, HEAD" in refused(response, 405, "method_not_allowed")["message"]
    assert server.client.get(EVENTS).headers["allow"] == "POST"
    assert server.client.head(EVENTS).status_code == 405


@pytest.mark.parametrize("session", ["x" * 65, "-a", "a b", "ä", "a%00"])
def test_a_bad_session_id_is_refused(server: Server, session: str) -> None:
    told = refused(server.client.post(f"/v1/sessions/{session}/events", json={"item_id": 1}), 422, "invalid")
    assert told["where"] == "path.session_id"
    for method in ("GET", "DELETE"):
        told = refused(server.client.request(method, f"/v1/sessions/{session}"), 422, "invalid")
        assert told["where"] == "path.session_id"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", f"query={'x' * 201}"])
def test_bad_queries_are_refused(server: Server, query: str) -> None:
    assert refused(server.client.get(f"/v1/items?{query}"), 422, "invalid")["where"].startswith("query.")


def test_rules_that_leave_nothing_are_refused_before_anything_is_kept(server: Server) -> None:
    told = refused(server.client.post(EVENTS, json={"item_id": 1, "only": [99]}), 422, "invalid")
    assert "`only` names no item" in told["message"]
    assert server.client.get("/v1/sessions/s").status_code == 404
    refused(server.client.post(RECOMMEND, json={"history": [1], "only": [99]}), 422, "invalid")


def test_what_cannot_be_explained_is_refused(server: Server) -> None:
    told = refused(server.client.post(EXPLAIN, json={"history": [1], "item_id": 99}), 422, "no_item")
    assert told["where"] == "body.item_id"
    refused(server.client.post(EXPLAIN, json={"history": [99], "item_id": 1}), 422, "invalid")


def test_a_mistake_is_told_without_its_content(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret 4711")

    monkeypatch.setattr("gsrec.serving.routes.named_items", fail)
    response = server.client.get("/v1/items")
    told = refused(response, 500, "internal")
    assert "4711" not in response.text
    assert told["where"] is None
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_mistake_among_the_events_is_told_and_forgotten(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret 4711")

    with monkeypatch.context() as patch:
        patch.setattr("gsrec.serving.batch.recommend_together", fail)
        response = server.client.post(EVENTS, json={"item_id": 1})
        assert "4711" not in response.text
        refused(response, 500, "internal")
    assert server.ask("POST", EVENTS, {"item_id": 2})["num_events"] == 2
    assert server.ask("GET", "/v1/sessions/s")["num_events"] == 2


@pytest.mark.parametrize("desk", ["_answers", "_explanations"])
def test_too_many_questions_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch, desk: str) -> None:
    service = server.client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(getattr(service, desk), "_most", 0)
    asked = {
        "_answers": (RECOMMEND, {"history": [1]}),
        "_explanations": ("/v1/explain", {"history": [1], "item_id": 2}),
    }
    response = server.client.post(asked[desk][0], json=asked[desk][1])
    refused(response, 503, "busy")
    assert response.headers["retry-after"] == "1"
    (other,) = (path_and_body for name, path_and_body in asked.items() if name != desk)
    assert server.client.post(other[0], json=other[1]).status_code == 200


@pytest.mark.parametrize("desk", ["_answers", "_explanations"])
def test_an_answered_question_makes_room_for_another(
    server: Server, monkeypatch: pytest.MonkeyPatch, desk: str
) -> None:
    service = server.client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(getattr(service, desk), "_most", 1)
    path = RECOMMEND if desk == "_answers" else "/v1/explain"
    for item_id in (2, 3):
        body = {"history": [1]} if desk == "_answers" else {"history": [1], "item_id": item_id}
        assert server.client.post(path, json=body).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Content-Type": "text/plain"}, "hello"), ({"Content-Type": "application/json"}, " " * (MAX_BODY + 1))],
)
def test_nothing_of_what_is_refused_stays(server: Server, headers: dict[str, str], body: str) -> None:
    def refuse() -> int:
        for _ in range(20):
            assert server.client.post("/healthz", headers=headers, content=body).status_code in (413, 415)
        gc.collect()
        return sum(type(one) is TracebackType for one in gc.get_objects())

    assert refuse() >= refuse() - 5


def test_too_many_events_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.serving.engine.MAX_WAITING", 0)
    refused(server.client.post(EVENTS, json={"item_id": 1}), 503, "busy")


def test_a_full_session_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.serving.batch.MAX_SESSION", 3)
    server.ask("POST", EVENTS, {"item_ids": [1, 2]})
    told = refused(server.client.post(EVENTS, json={"item_ids": [3, 4]}), 422, "session_full")
    assert told["where"] == "path.session_id"
    assert server.ask("POST", EVENTS, {"item_id": 3})["num_events"] == 3


def test_a_session_that_another_server_emptied_is_not_full(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gsrec.serving.batch.MAX_SESSION", 3)
    one, other = (serve(sessions=str(tmp_path / "sessions.sqlite")) for _ in range(2))
    one.ask("POST", EVENTS, {"item_ids": [1, 2, 3]})
    refused(one.client.post(EVENTS, json={"item_id": 4}), 422, "session_full")
    assert other.client.delete(EVENTS.removesuffix("/events")).is_success
    assert one.ask("POST", EVENTS, {"item_id": 4})["num_events"] == 1


def test_each_kind_of_library_error_has_its_status() -> None:
    kinds = {StoreError: 503, ConfigError: 422, DataError: 422, BundleError: 503}
    assert {kind: of_library(kind("what to do")).status for kind in kinds} == kinds


def test_after_its_end_a_server_refuses(serve: Callable[..., Server]) -> None:
    server = serve()
    engine = server.client.app.state.service.engine  # type: ignore[attr-defined]
    engine.is_closed = True
    refused(server.client.post(EVENTS, json={"item_id": 1}), 503, "stopping")
    refused(server.client.get("/readyz"), 503, "stopping")
