"""The log is JSON, a line an event, and never tells what users sent."""

from __future__ import annotations

import json
import logging

import pytest
from tests.serving.conftest import Server

from gsrec.serving.logs import LOGGER, JsonLines, log, set_up_logs


@pytest.fixture
def _own_loggers() -> object:
    """Loggers as they were before."""
    loggers = [logging.getLogger(name) for name in ("gsrec.serving", "uvicorn")]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    yield
    for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
        one.handlers, one.propagate, one.level = handlers, propagate, level


@pytest.mark.usefixtures("_own_loggers")
def test_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs()
    log("started", models=["shop", "ü"])
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").info("not told")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.items() >= {"level": "info", "event": "started", "models": ["shop", "ü"]}.items()
    assert first["time"].endswith("Z")
    assert second.items() >= {"level": "warning", "event": "Invalid HTTP request received."}.items()


def test_an_error_is_told_by_kind_and_place() -> None:
    try:
        raise ValueError("item 4711 of session secret")
    except ValueError as error:
        record = LOGGER.makeRecord("x", logging.ERROR, "", 0, "mistake", (), (type(error), error, None))
    told = json.loads(JsonLines().format(record))
    assert told["error"] == "ValueError"
    assert "test_logs.py" in told["at"][0]
    assert "4711" not in json.dumps(told)


def test_requests_leave_no_trace_of_users(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gsrec.serving")
    server.ask("POST", "/v1/sessions/secret-7/events", {"item_ids": [3, 29]})
    server.client.get("/v1/items/4711/similar")
    server.client.post("/v1/recommend", json={"history": ["secret-8"], "k": 0})
    server.ask("POST", "/v1/admin/reload")
    lines = [JsonLines().format(record) for record in caplog.records]
    assert [json.loads(line)["event"] for line in lines] == ["reloaded"]
    assert not any("secret" in line or "4711" in line for line in lines)


def test_slow_answers_are_told(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gsrec.serving.observer.SLOW_SECONDS", -1.0)
    server.ask("GET", "/v1/items/3/similar")
    told = json.loads(JsonLines().format(caplog.records[-1]))
    assert told.items() >= {"event": "slow", "route": "/v1/items/{item_id:path}/similar"}.items()
