"""Bundles, titles and keys are read again without a pause, and sessions stay."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving.conftest import Server, bundle_of

from gsrec.bundle import MANIFEST, save_bundle
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.together import LiveHistory, add_together, recommend_together
from gsrec.serving.models import Models, load_models

EVENTS = "/v1/sessions/s/events"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that the test can replace."""
    save_bundle(bundle_of(), tmp_path / "shop")
    return tmp_path / "shop"


def ids(answer: dict[str, list[dict[str, object]]]) -> list[object]:
    return [item["item_id"] for item in answer["items"]]


def test_a_session_goes_on_with_the_new_model(serve: Callable[..., Server], bundle: Path) -> None:
    server = serve(bundle)
    server.ask("POST", EVENTS, {"item_ids": [3, 4, 31]})
    save_bundle(bundle_of("gru4rec", seed=2, ids=list(range(1, 41))), bundle)
    new = Recommender.load(bundle)
    told = server.ask("POST", "/v1/admin/reload")["models"]
    assert (told[0]["kind"], told[0]["num_items"]) == ("gru4rec", 40)
    assert told == server.ask("GET", "/v1/models")["models"]
    answer = server.ask("POST", EVENTS, {"item_id": 5})
    assert ids(answer) == list(new.recommend([3, 4, 31, 5]).items)
    assert (answer["num_events"], answer["num_unknown"]) == (4, 0)
    assert ids(server.ask("POST", "/v1/recommend", {"history": [3]})) == list(new.recommend([3]).items)


def test_the_log_is_read_as_the_new_model_reads_it(serve: Callable[..., Server], bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\na,1,1\na,35,2\nb,35,1\nb,36,2\n")
    server = serve(bundle, log=str(log))
    assert server.client.get("/v1/users/b").status_code == 404  # the old model knows 30 items
    save_bundle(bundle_of(ids=list(range(1, 41))), bundle)
    server.ask("POST", "/v1/admin/reload")
    assert sorted(server.ask("GET", "/v1/users")["users"]) == ["a", "b"]
    replay = server.client.app.state.service.contents.replay  # type: ignore[attr-defined]
    server.ask("POST", "/v1/admin/reload")
    assert server.client.app.state.service.contents.replay is replay  # type: ignore[attr-defined]


def test_a_link_keeps_its_name_wherever_it_leads(serve: Callable[..., Server], tmp_path: Path) -> None:
    link = tmp_path / "current"
    for seed in (1, 2):
        save_bundle(bundle_of(seed=seed), tmp_path / f"model-{seed}")
    link.symlink_to(tmp_path / "model-1")
    server = serve(link)
    server.ask("POST", EVENTS, {"item_ids": [3, 4], "model": "current"})
    link.unlink()
    link.symlink_to(tmp_path / "model-2")
    (told,) = server.ask("POST", "/v1/admin/reload")["models"]
    assert told["name"] == "current"
    answer = server.ask("POST", EVENTS, {"item_id": 5, "model": "current"})
    assert ids(answer) == list(Recommender.load(tmp_path / "model-2").recommend([3, 4, 5]).items)


def test_a_damaged_bundle_changes_nothing(serve: Callable[..., Server], bundle: Path) -> None:
    server = serve(bundle)
    before = server.ask("GET", "/v1/models")
    (bundle / MANIFEST).write_text("{}")
    response = server.client.post("/v1/admin/reload")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "not_reloaded")
    assert "manifest.json" in response.json()["error"]["message"]
    assert server.ask("GET", "/v1/models") == before
    assert server.ask("POST", EVENTS, {"item_id": 5})["source"] == "model"
    assert 'gsrec_reloads_total{outcome="failed"} 1.0' in server.client.get("/metrics").text


def test_models_that_cannot_be_taken_change_nothing(serve: Callable[..., Server], bundle: Path) -> None:
    server = serve(bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server.client.app.state.service.engine, "swap", fail)  # type: ignore[attr-defined]
        assert server.client.post("/v1/admin/reload").status_code == 500
    assert server.ask("POST", EVENTS, {"item_id": 5})["source"] == "model"
    assert 'gsrec_reloads_total{outcome="failed"} 1.0' in server.client.get("/metrics").text


async def fail(models: Models) -> None:
    raise RuntimeError("no memory for so many sessions")


def test_what_did_not_change_is_not_computed_again(serve: Callable[..., Server], bundle: Path) -> None:
    server = serve(bundle)
    service = server.client.app.state.service  # type: ignore[attr-defined]
    before = service.contents.models.all[0]
    server.ask("POST", "/v1/admin/reload")
    assert service.contents.models.all[0] is before


def test_a_model_that_was_replaced_is_freed_without_a_search(bundle: Path) -> None:
    models = load_models([bundle])
    model = models.all[0]
    events = LiveHistory(model.recommender.bundle)
    add_together([events], [5])
    assert recommend_together([events], 3)
    assert model.facts
    left = weakref.ref(model.recommender.bundle), weakref.ref(model.recommender.bundle.model)
    gc.collect()
    gc.disable()
    try:
        del models, model, events
        assert (left[0](), left[1]()) == (None, None)
    finally:
        gc.enable()


def test_titles_are_read_again(serve: Callable[..., Server], bundle: Path, tmp_path: Path) -> None:
    titles = tmp_path / "titles.csv"
    titles.write_text("item_id,title\n3,Heat\n")
    server = serve(bundle, titles=titles)
    titles.write_text("item_id,title\n3,Casino\n")
    server.ask("POST", "/v1/admin/reload")
    assert server.ask("GET", "/v1/items?query=casino")["items"] == [{"item_id": 3, "title": "Casino"}]
