"""Who may come in, how often, and what each key can see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import Server

from gsrec.errors import ConfigError
from gsrec.serving.keys import KeyRing, new_key, read_keys, remove_key
from gsrec.serving.security import RateLimits

OWN_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
BEHIND_KEYS = [
    ("POST", "/v1/recommend"),
    ("POST", "/v1/sessions/s/events"),
    ("GET", "/v1/sessions/s"),
    ("DELETE", "/v1/sessions/s"),
    ("GET", "/v1/items"),
    ("GET", "/v1/items/3/similar"),
    ("POST", "/v1/explain"),
    ("GET", "/v1/models"),
    ("GET", "/v1/users"),
    ("GET", "/v1/users/1"),
    ("POST", "/v1/admin/reload"),
    ("GET", "/v1/nothing"),
    ("GET", "/metrics"),
]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Keys by name, of a file called keys.json."""
    path = tmp_path / "keys.json"
    return {name: new_key(path, name, admin=name == "boss") for name in ("ann", "bob", "boss")}


@pytest.fixture
def guarded(serve: Callable[..., Server], keys: dict[str, str], tmp_path: Path) -> Server:
    """A server with those keys, asked by another name than its machine's."""
    return serve(keys=tmp_path / "keys.json", host="0.0.0.0", address="https://shop.example")  # noqa: S104


def bearer(key: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {key}"}}


@pytest.mark.parametrize(("method", "path"), BEHIND_KEYS)
def test_nothing_of_the_api_answers_without_a_key(guarded: Server, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer gsrec_wrong"}, {"X-API-Key": "wrong"}, {"Authorization": "Basic x"}):
        response = guarded.client.request(method, path, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"


def test_the_page_and_health_answer_without_a_key(guarded: Server) -> None:
    for path in ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/static/app.js"):
        assert guarded.client.get(path).status_code == 200


def test_a_key_opens_either_way(guarded: Server, keys: dict[str, str]) -> None:
    for headers in (
        {"Authorization": f"Bearer {keys['ann']}"},
        {"Authorization": f"bearer  {keys['ann']}"},
        {"X-API-Key": keys["ann"]},
    ):
        guarded.ask("GET", "/v1/models", headers=headers)
    assert "gsrec_requests" in guarded.client.get("/metrics", **bearer(keys["ann"])).text


def test_a_key_sees_only_its_own_sessions(guarded: Server, keys: dict[str, str]) -> None:
    ann, bob = bearer(keys["ann"]), bearer(keys["bob"])
    guarded.ask("POST", "/v1/sessions/s/events", {"item_ids": [3, 4]}, **ann)
    for method in ("GET", "DELETE"):
        response = guarded.client.request(method, "/v1/sessions/s", **bob)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "no_session")
    assert guarded.ask("POST", "/v1/sessions/s/events", {"item_id": 5}, **bob)["num_events"] == 1
    assert guarded.ask("GET", "/v1/sessions/s", **ann)["num_events"] == 2
    guarded.ask("DELETE", "/v1/sessions/s", **bob)
    assert guarded.ask("GET", "/v1/sessions/s", **ann)["num_events"] == 2


def test_only_an_admin_key_reloads(guarded: Server, keys: dict[str, str]) -> None:
    response = guarded.client.post("/v1/admin/reload", **bearer(keys["ann"]))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "not_admin")
    assert guarded.ask("POST", "/v1/admin/reload", **bearer(keys["boss"]))["models"][0]["name"] == "shop"


def test_a_removed_key_is_refused_after_a_reload(guarded: Server, keys: dict[str, str], tmp_path: Path) -> None:
    remove_key(tmp_path / "keys.json", "ann")
    guarded.ask("GET", "/v1/models", **bearer(keys["ann"]))
    guarded.ask("POST", "/v1/admin/reload", **bearer(keys["boss"]))
    assert guarded.client.get("/v1/models", **bearer(keys["ann"])).status_code == 401


@pytest.mark.parametrize("path", ["/", "/v1/models", "/nothing", "/healthz"])
def test_every_answer_has_the_security_headers(server: Server, path: str) -> None:
    headers = server.client.get(path).headers
    assert OWN_HEADERS.items() <= dict(headers).items()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1:8000"])
def test_without_keys_other_names_are_refused(server: Server, host: str) -> None:
    response = server.client.get("/v1/models", headers={"Host": host})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "wrong_host")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
def test_without_keys_this_machines_names_are_good(server: Server, host: str) -> None:
    assert server.client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_without_keys_other_sites_pages_are_refused(server: Server) -> None:
    for site in ("cross-site", "same-site"):
        response = server.client.post("/v1/admin/reload", headers={"Sec-Fetch-Site": site})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "other_site")
    for origin in ("http://evil.example", "null"):
        response = server.client.post("/v1/admin/reload", headers={"Origin": origin})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "other_site")
    own = str(server.client.base_url).rstrip("/")
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": own}):
        assert server.client.get("/v1/models", headers=headers).status_code == 200


def test_a_rate_is_kept_for_each_key(serve: Callable[..., Server], keys: dict[str, str], tmp_path: Path) -> None:
    server = serve(keys=tmp_path / "keys.json", rate=3)
    for _ in range(3):
        assert server.client.get("/v1/models", **bearer(keys["ann"])).status_code == 200
    response = server.client.post("/v1/sessions/s/events", json={"item_id": 3}, **bearer(keys["ann"]))
    assert (response.status_code, response.json()["error"]["code"]) == (429, "too_many_requests")
    assert 1 <= int(response.headers["retry-after"]) <= 20
    assert server.client.get("/v1/models", **bearer(keys["bob"])).status_code == 200
    assert server.client.get("/healthz").status_code == 200


def test_a_bucket_fills_at_its_rate() -> None:
    now = 0.0
    limits = RateLimits(60, lambda: now)
    assert [limits.take("ann") for _ in range(60)] == [0.0] * 60
    assert limits.take("ann") == pytest.approx(1.0)
    now = 0.5
    assert limits.take("ann") == pytest.approx(0.5)
    now = 1.0
    assert limits.take("ann") == 0.0
    assert limits.take("ann") > 0
    now = 1e6
    assert [limits.take("ann") for _ in range(61)].count(0.0) == 60


def test_a_file_of_keys_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ann, bob = new_key(path, "ann"), new_key(path, "bob", admin=True)
    text = path.read_text()
    assert ann not in text
    assert bob.removeprefix("gsrec_") not in text
    ring = read_keys(path)
    assert [(entry.name, entry.admin) for entry in ring.entries] == [("ann", False), ("bob", True)]
    assert ring.find(ann.encode()) == ring.entries[0]
    assert ring.find(bob.encode()) == ring.entries[1]
    assert ring.find(b"") is None
    assert ring.find(b"\xff\x00") is None
    assert KeyRing(()).find(ann.encode()) is None
    assert len(ann) >= 43


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x" * 65, "ü"])
def test_a_keys_name_is_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a key's name is 1 to 64 letters"):
        new_key(tmp_path / "keys.json", name)


def test_a_name_has_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new_key(path, "ann")
    before = path.read_text()
    with pytest.raises(ConfigError, match="has a key named 'ann' already"):
        new_key(path, "ann")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no file of keys: Invalid JSON"),
        ("[]", "is no file of keys"),
        ('{"keys": [{"name": "ann"}]}', r"keys\.0\.sha256: Field required"),
        ('{"keys": [{"name": "ann", "sha256": "x"}]}', r"keys\.0\.sha256: String should match"),
    ],
)
def test_a_bad_file_of_keys_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(ConfigError, match=said):
        read_keys(tmp_path / "keys.json")


def test_two_keys_of_one_name_are_refused(tmp_path: Path) -> None:
    entry = {"name": "ann", "sha256": "0" * 64}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [entry, entry]}))
    with pytest.raises(ConfigError, match="two keys of one name"):
        read_keys(tmp_path / "keys.json")


def test_a_missing_file_of_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the keys in .* `gsrec keys new"):
        read_keys(tmp_path / "keys.json")
