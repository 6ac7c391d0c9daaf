"""Users of a log are replayed: all that they took but the last, and the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving.conftest import Server

from gsrec.data.columns import Columns
from gsrec.errors import DataError


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Users a, b/c and d, the last with one event; item 99 is unknown to the model."""
    rows = ["a,1,1", "a,99,2", "a,2,3", "a,3,4", "b/c,4,1", "b/c,5,2", "d,6,1"]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user_id,item_id,timestamp", *rows, ""]))
    return path


def test_users_and_their_histories(serve: Callable[..., Server], log: Path) -> None:
    server = serve(log=str(log))
    assert sorted(server.ask("GET", "/v1/users")["users"]) == ["a", "b/c"]
    assert len(server.ask("GET", "/v1/users?limit=1&seed=3")["users"]) == 1
    assert server.ask("GET", "/v1/users?seed=5") == server.ask("GET", "/v1/users?seed=5")
    told = server.ask("GET", "/v1/users/a")
    assert told["user_id"] == "a"
    assert [item["item_id"] for item in told["history"]] == [1, 2]
    assert told["target"] == {"item_id": 3, "title": None}
    assert server.ask("GET", "/v1/users/b%2Fc")["target"]["item_id"] == 5


@pytest.mark.parametrize("user", ["d", "e", "1"])
def test_a_user_without_a_history_is_404(serve: Callable[..., Server], log: Path, user: str) -> None:
    response = serve(log=str(log)).client.get(f"/v1/users/{user}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "no_user")


def test_of_a_long_history_the_newest_events_are_told(
    serve: Callable[..., Server], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gsrec.serving.schemas.MAX_HISTORY", 1)
    told = serve(log=str(log)).ask("GET", "/v1/users/a")
    assert [item["item_id"] for item in told["history"]] == [2]


def test_its_columns_can_be_named(serve: Callable[..., Server], log: Path) -> None:
    log.write_text(log.read_text().replace("user_id,item_id,timestamp", "who,what,when"))
    server = serve(log=str(log), columns=Columns("who", "what", "when"))
    assert sorted(server.ask("GET", "/v1/users")["users"]) == ["a", "b/c"]


def test_a_log_of_other_items_is_refused(serve: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\na,98,1\na,99,2\n")
    with pytest.raises(DataError, match="knows none of its items"):
        serve(log=str(tmp_path / "log.csv"))
