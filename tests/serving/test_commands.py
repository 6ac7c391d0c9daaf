"""`gsrec serve` and `gsrec keys` as they are typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gsrec.cli.keys import app as keys_app
from gsrec.cli.serve import serve
from gsrec.cli.spread import spread
from gsrec.errors import ConfigError, MissingExtraError
from gsrec.files import alone
from gsrec.serving.keys import new_key, read_keys, remove_key
from gsrec.serving.service import Service
from gsrec.serving.settings import Settings

app = typer.Typer()
app.command()(spread(serve))


def test_a_new_key_is_printed_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ended = CliRunner().invoke(keys_app, ["new", "--name", "ann", "--file", str(path), "--admin"])
    assert ended.exit_code == 0
    key = ended.stdout.strip()
    assert re.fullmatch(r"gsrec_[A-Za-z0-9_-]{43}", key)
    assert "the only time the key is shown" in ended.stderr
    assert key not in path.read_text()
    found = read_keys(path).find(key.encode())
    assert found is not None
    assert (found.name, found.admin) == ("ann", True)


def test_a_new_key_as_json(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ended = CliRunner().invoke(keys_app, ["new", "--name", "ann", "--file", str(path), "--json"])
    told = json.loads(ended.stdout)
    assert told | {"key": ""} == {"name": "ann", "key": "", "admin": False, "file": str(path)}
    assert read_keys(path).find(told["key"].encode()) is not None


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    path, names = tmp_path / "new" / "keys.json", [f"ann{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(partial(new_key, path), names))
    assert [found.name for key in made if (found := read_keys(path).find(key.encode()))] == names


def test_a_taken_name_is_an_error(tmp_path: Path) -> None:
    command = ["new", "--name", "ann", "--file", str(tmp_path / "keys.json")]
    CliRunner().invoke(keys_app, command)
    assert isinstance(CliRunner().invoke(keys_app, command).exception, ConfigError)


def test_keys_are_listed_without_their_hashes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new_key(path, "ann")
    new_key(path, "boss", admin=True)
    as_text = CliRunner().invoke(keys_app, ["list", "--file", str(path)])
    assert re.findall(r"ann|boss +admin", as_text.stdout) == ["ann", "boss  admin"]
    assert not re.search("[0-9a-f]{64}", as_text.stdout)
    told = json.loads(CliRunner().invoke(keys_app, ["list", "--file", str(path), "--json"]).stdout)
    assert told["keys"] == [{"name": "ann", "admin": False}, {"name": "boss", "admin": True}]


def test_a_removed_key_opens_nothing_and_the_others_do(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = {name: new_key(path, name) for name in ("ann", "bob")}
    ended = CliRunner().invoke(keys_app, ["remove", "--name", "ann", "--file", str(path)])
    assert ended.stdout == "removed: ann\n"
    assert "SIGHUP" in ended.stderr
    assert read_keys(path).find(made["ann"].encode()) is None
    assert read_keys(path).find(made["bob"].encode()) is not None
    CliRunner().invoke(keys_app, ["remove", "--name", "bob", "--file", str(path), "--json"])
    assert "none" in CliRunner().invoke(keys_app, ["list", "--file", str(path)]).stdout


def test_a_key_that_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new_key(path, "ann")
    with pytest.raises(ConfigError, match=r"has no key named 'bob'\. Its keys: ann\."):
        remove_key(path, "bob")


def test_a_file_of_keys_that_cannot_be_had_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    monkeypatch.setattr("gsrec.files.PATIENCE_SECONDS", 0.1)
    with alone(path), pytest.raises(ConfigError, match="cannot be had for this process"):
        new_key(path, "ann")
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "(without keys: for this machine alone; sessions in gsrec-sessions.sqlite)"),
        (["--sessions", ":memory:"], "sessions in memory: they end with this process)"),
        (["--sessions", "s.sqlite"], "sessions in s.sqlite)"),
        (["--sessions", "redis://:secret@there"], "sessions in Redis)"),
        (["--keys", "keys.json"], "(for those with a key;"),
        (["--titles", "titles.csv"], "sqlite; titles of 2 of 30 items)"),
    ],
)
def test_serving_says_what_is_served(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    given: list[Settings] = []
    monkeypatch.chdir(tmp_path)
    Path("titles.csv").write_text("item_id,title\n1,Heat\n2,Ronin\n3,\n99,Alien\n")

    def pretend(settings: Settings, on_ready: Callable[[str, Service], None]) -> None:
        given.append(settings)
        on_ready("http://127.0.0.1:8000", Service(Settings(settings.bundles, titles=settings.titles)))

    monkeypatch.setattr("gsrec.serving.serve.serve", pretend)
    ended = CliRunner().invoke(app, [str(shop), "--session-days", "2", "--rate", "7", "--durable", *options])
    assert ended.exception is None
    assert ended.stdout.startswith("serving shop at http://127.0.0.1:8000 (")
    assert said in ended.stdout
    assert "secret" not in ended.stdout
    assert (given[0].session_days, given[0].rate, given[0].durable) == (2.0, 7, True)


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "prometheus_client"])
def test_a_missing_package_is_told(shop: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def find(name: str) -> Any:
        return None if name == missing else object()

    monkeypatch.setattr("gsrec.extras.find_spec", find)
    error = CliRunner().invoke(app, [str(shop)]).exception
    assert isinstance(error, MissingExtraError)
    assert "pip install 'gsrec[serve]'" in str(error)
