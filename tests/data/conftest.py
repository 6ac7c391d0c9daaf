"""Folders and a server of each test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Writer = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Write a file into the test's folder."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of fetched files, and no GSREC_DATA."""
    monkeypatch.delenv("GSREC_DATA", raising=False)
    monkeypatch.setenv("GSREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def data_folder(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that GSREC_DATA names."""
    folder = tmp_path / "logs"
    folder.mkdir()
    monkeypatch.setenv("GSREC_DATA", str(folder))
    return folder


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what a file's name says goes wrong goes wrong."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path.endswith("/refused.zip"):
            self.send_error(403)
        elif self.path.endswith("/dropped.zip"):
            self.connection.close()
        elif self.path.endswith(("/short.csv", "/unsized.csv")):
            self.send_response(200)
            if self.path.endswith("/short.csv"):
                self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"a,b,5,1\n")
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder that the server serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def server(served: Path) -> Iterator[str]:
    """The address of a real server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
