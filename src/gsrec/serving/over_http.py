"""A model asked over HTTP, for the proof that it answers as it was measured."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

import uvicorn

from gsrec.data.vocabulary import ItemId
from gsrec.errors import GSRecError
from gsrec.experiment.verify import Way
from gsrec.serving.app import create_app
from gsrec.serving.body import MAX_BODY
from gsrec.serving.schemas import MAX_EVENTS, MAX_HISTORY
from gsrec.serving.settings import Settings

START_SECONDS = 30.0


@contextmanager
def over_http(path: Path) -> Iterator[Way]:
    """A server of a bundle on this machine, for as long as this is open.

    Whole histories are asked for; those longer than a request may hold go into a session, of `MAX_SESSION` events at
    most.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(create_app(Settings((path,))), log_config=None, access_log=False))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            yield _way(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise GSRecError(f"the server did not start within {START_SECONDS:g} seconds")
        time.sleep(0.01)


def _way(port: int) -> Way:
    def ask(histories: Sequence[Sequence[ItemId]], k: int) -> list[tuple[ItemId, ...]]:
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            return [_ask(connection, list(history), k) for history in histories]

    return ask


def _ask(connection: HTTPConnection, history: list[ItemId], k: int) -> tuple[ItemId, ...]:
    """The K best after a history, which goes into a session where one request cannot hold it."""
    whole = _encoded({"history": history, "k": k})
    if len(history) <= MAX_HISTORY and len(whole) <= MAX_BODY:
        return _post(connection, "/v1/recommend", whole)
    session, answer = f"/v1/sessions/{uuid4()}/events", tuple[ItemId, ...]()
    for start in range(0, len(history), MAX_EVENTS):
        answer = _post(connection, session, _encoded({"item_ids": history[start : start + MAX_EVENTS], "k": k}))
    return answer


def _encoded(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _post(connection: HTTPConnection, path: str, body: bytes) -> tuple[ItemId, ...]:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    if answer.status != 200:
        raise GSRecError(f"the server answered {answer.status} to {path}: {content}")
    return tuple(item["item_id"] for item in content["items"])
