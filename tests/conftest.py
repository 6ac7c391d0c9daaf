"""What holds for every test: no network but this machine's own, one thread, and the folder of real logs."""

import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once by torch and numpy, so it stands before either is imported

settings.register_profile("gsrec", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("gsrec")


class NetworkAccessError(AssertionError):
    """A test tried to reach something outside this machine."""


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host is None or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _refuse_others(host: object) -> None:
    if not _is_loopback(host):
        raise NetworkAccessError(
            f"tests may reach loopback only, found {host!r}. Serve what the test needs on 127.0.0.1."
        )


def _guarded_connect(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_others(address[0])
        return connect(self, address)

    return guarded


def _guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: object, *args: Any, **kwargs: Any) -> Any:
        _refuse_others(host)
        return lookup(host, *args, **kwargs)

    return guarded


@pytest.fixture
def tally() -> Callable[[str, int, int], None]:
    """Writes how much was tried and how much of it lost into the file that GSREC_TALLY names (docs/reliability.md)."""

    def write(what: str, tried: int, lost: int) -> None:
        if file := os.environ.get("GSREC_TALLY"):
            path = Path(file)
            told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            path.write_text(
                json.dumps({**told, what: {"tried": tried, "lost": lost}}, indent=2) + "\n", encoding="utf-8"
            )

    return write


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse connections and name look-ups that would leave this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _guarded_connect(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", _guarded_connect(socket.socket.connect_ex))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real interaction logs that GSREC_DATA names; without it the test is skipped."""
    name = os.environ.get("GSREC_DATA")
    if not name:
        pytest.skip("GSREC_DATA is not set: it names a folder with real interaction logs (ml-1m.csv.gz and others)")
    folder = Path(name).resolve()
    assert folder.is_dir(), f"GSREC_DATA must name a folder, found {name!r}"
    return folder


@pytest.fixture(scope="session")
def program() -> Path:
    """The installed `gsrec` command of the environment that runs the tests."""
    return Path(sys.executable).with_name("gsrec")
