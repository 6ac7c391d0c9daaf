"""What a server is told is checked before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gsrec.errors import ConfigError
from gsrec.serving.settings import Settings, model_name


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"bundles": ()}, "needs at least one bundle"),
        ({"bundles": (Path("a/shop"), Path("b/shop.gsrec"))}, "two bundles are called 'shop'"),
        ({"sessions": " "}, "or in :memory:, found an empty name"),
        ({"sessions": "redis:secret@host"}, "such as redis://localhost:6379, or in :memory:, found another address"),
        ({"session_days": 0.0}, "more than 0 days and at most 36,525, found 0"),
        ({"session_days": float("nan")}, "at most 36,525, found nan"),
        ({"session_days": float("inf")}, "at most 36,525, found inf"),
        ({"cached_sessions": 63}, "at least 64 sessions must have room in memory, found 63"),
        ({"rate": 0}, "at least 1 request a minute, found 0"),
        ({"host": "0.0.0.0"}, "listens for this machine alone .* found '0.0.0.0'.*gsrec keys new"),  # noqa: S104
        ({"host": "::"}, "listens for this machine alone"),
        ({"host": "shop.example"}, "listens for this machine alone"),
        ({"host": ""}, "listens for this machine alone"),
    ],
)
def test_what_cannot_be_is_refused(told: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Settings(**{"bundles": (Path("shop"),)} | told)


def test_with_keys_a_server_listens_everywhere() -> None:
    assert Settings((Path("shop"),), host="0.0.0.0", keys=Path("keys.json")).rate is None  # noqa: S104


def test_models_go_by_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_name(Path("runs/shop/")) == "shop"
    assert model_name(Path("x/films.gsrec")) == "films"
    assert model_name(Path(".")) == tmp_path.name
