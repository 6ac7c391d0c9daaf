"""The guards that hold for every test do guard."""

import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)], ids=["IPv4", "IPv6"])
def test_a_connection_to_outside_is_refused(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(AssertionError, match="tests may reach loopback only"):
        client.connect(address)
    with socket.socket(family) as client, pytest.raises(AssertionError, match="tests may reach loopback only"):
        client.connect_ex(address)


def test_a_name_outside_is_not_looked_up() -> None:
    with pytest.raises(AssertionError, match=r"found 'example\.org'"):
        socket.create_connection(("example.org", 80))


def test_loopback_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_real_data_is_a_folder(real_data: Path) -> None:
    assert real_data.is_dir()
