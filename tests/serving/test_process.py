"""The server as a process: it outlives kill -9, reloads on SIGHUP, and ends on SIGTERM with every answer given."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from tests.serving.conftest import bundle_of

from gsrec.bundle import MANIFEST, save_bundle
from gsrec.recommend.recommender import Recommender

PROGRAM = (
    "import typer; from gsrec.cli.serve import serve; from gsrec.cli.spread import spread; typer.run(spread(serve))"
)
START_SECONDS = 60


@dataclass(frozen=True)
class Process:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    client: httpx.Client

    def post(self, session: str, *items: int) -> dict[str, object]:
        response = self.client.post(f"/v1/sessions/{session}/events", json={"item_ids": items})
        assert response.status_code == 200, response.text
        return dict(response.json())

    def items(self, session: str) -> list[int]:
        return [item["item_id"] for item in self.client.get(f"/v1/sessions/{session}").json()["items"]]

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and wait; gives the exit code, and what was written to the log."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start servers, that are killed in the end; where nothing is said of sessions, they are gone with them."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())

        def run(*arguments: object, program: str = PROGRAM) -> Process:
            command = [sys.executable, "-c", program, *map(str, arguments), "--port", "0"]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://" in line, process.communicate()
            address = next(word for word in line.split() if word.startswith("http://"))
            return Process(process, stack.enter_context(httpx.Client(base_url=address, timeout=START_SECONDS)))

        yield run


def test_head_is_answered_as_get_without_the_body(start: Callable[..., Process], shop: Path) -> None:
    client = start(shop).client
    for path in ("/healthz", "/readyz", "/", "/v1/models"):
        asked, headed = client.get(path), client.head(path)
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["content-length"] == str(len(asked.content))
    assert client.head("/v1/nothing").status_code == 404
    assert client.get("/healthz").json() == {"status": "alive"}


def test_acknowledged_events_outlive_kill_9(start: Callable[..., Process], shop: Path, tmp_path: Path) -> None:
    kept = tmp_path / "sessions.sqlite"
    server = start(shop, "--sessions", kept)
    acknowledged: dict[str, list[int]] = {f"s{place}": [] for place in range(8)}

    def use(session: str) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=START_SECONDS) as client:
            for step in range(10_000):
                item = step % 30 + 1
                try:
                    client.post(f"/v1/sessions/{session}/events", json={"item_id": item}).raise_for_status()
                except httpx.TransportError:
                    return
                acknowledged[session].append(item)

    users = [threading.Thread(target=use, args=(session,)) for session in acknowledged]
    for user in users:
        user.start()
    while sum(map(len, acknowledged.values())) < 400:
        time.sleep(0.01)
    code, _ = server.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    for user in users:
        user.join()
    again, recommender = start(shop, "--sessions", kept), Recommender.load(shop)
    for session, items in acknowledged.items():
        found = again.items(session)
        assert found[: len(items)] == items
        assert len(found) <= len(items) + 1  # one that was kept, but whose answer did not arrive
        answer = again.post(session, 7)
        assert answer["num_events"] == len(found) + 1
        expected = recommender.recommend([*found, 7])
        assert [item["item_id"] for item in answer["items"]] == list(expected.items)  # type: ignore[attr-defined]


def test_sighup_reloads_and_sigterm_ends(start: Callable[..., Process], tmp_path: Path) -> None:
    path = tmp_path / "shop"
    save_bundle(bundle_of(), path)
    server = start(path)
    server.post("s", 3, 4)
    manifest = (path / MANIFEST).read_text()
    (path / MANIFEST).write_text("{}")
    server.process.send_signal(signal.SIGHUP)
    for _ in range(300):
        if 'gsrec_reloads_total{outcome="failed"} 1.0' in server.client.get("/metrics").text:
            break
        time.sleep(0.05)
    (path / MANIFEST).write_text(manifest)
    before = server.client.get("/v1/models").json()
    save_bundle(bundle_of(seed=2), path)
    server.process.send_signal(signal.SIGHUP)
    for _ in range(300):
        if server.client.get("/v1/models").json() != before:
            break
        time.sleep(0.05)
    expected = Recommender.load(path).recommend([3, 4, 5])
    assert [item["item_id"] for item in server.post("s", 5)["items"]] == list(expected.items)  # type: ignore[attr-defined]
    code, said = server.end(signal.SIGTERM)
    assert code == 0
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["event"] for line in lines] == ["started", "reload failed", "reloaded", "stopped"]
    assert str(path) in lines[1]["reason"]


def test_signals_are_heeded_from_the_first_word_on(start: Callable[..., Process], shop: Path) -> None:
    server = start(shop)
    server.process.send_signal(signal.SIGHUP)
    code, said = server.end(signal.SIGTERM)
    assert code == 0
    told = [json.loads(line)["event"] for line in said.splitlines()]
    assert (told[0], told[-1]) == ("started", "stopped")


def test_a_connection_on_which_nobody_asks_is_not_kept(
    start: Callable[..., Process], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(shop, program=f"from gsrec.serving import connection; connection.HEAD_SECONDS = 0.3; {PROGRAM}")
    address = (server.client.base_url.host, server.client.base_url.port)
    with socket.create_connection(address) as silent, socket.create_connection(address) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-Slow: ")
        for connection in (silent, slow):
            connection.settimeout(20)
            assert connection.recv(1) == b""
    server.client.get("/healthz").raise_for_status()
    time.sleep(0.6)
    server.client.get("/healthz").raise_for_status()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_when_it_ends_every_request_is_answered(
    start: Callable[..., Process], shop: Path, tmp_path: Path, number: signal.Signals
) -> None:
    kept = tmp_path / "sessions.sqlite"
    server = start(shop, "--sessions", kept)
    statuses: list[int] = []

    def ask(place: int) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=START_SECONDS) as client:
            while True:
                try:
                    body = {"item_ids": [place + 1] * 100}
                    statuses.append(client.post(f"/v1/sessions/s{place}/events", json=body).status_code)
                except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    return  # a new connection is refused, or one that was kept open is closed between two requests
                if statuses[-1] != 200:
                    return

    users = [threading.Thread(target=ask, args=(place,)) for place in range(4)]
    for user in users:
        user.start()
    while len(statuses) < 8:
        time.sleep(0.01)
    code, said = server.end(number)
    for user in users:
        user.join()
    assert code == 0
    assert set(statuses) <= {200, 422, 503}
    assert "mistake" not in said
    again = start(shop, "--sessions", kept)
    assert sum(len(again.items(f"s{place}")) for place in range(4)) >= 100 * statuses.count(200)


def test_a_taken_port_is_told(start: Callable[..., Process], shop: Path) -> None:
    server = start(shop)
    command = [sys.executable, "-c", PROGRAM, str(shop), "--port", str(server.client.base_url.port)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "cannot listen at 127.0.0.1" in ended.stderr
