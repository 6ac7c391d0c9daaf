"""Every question gets the answer that the contract promises, with the library's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import NUM_ITEMS, Server, bundle_of

from gsrec.bundle import save_bundle
from gsrec.recommend.explain import explain
from gsrec.recommend.recommendation import Recommendation
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.rules import Rules


def told(answer: dict[str, Any]) -> tuple[list[Any], list[float], str, int]:
    items = answer["items"]
    scores = [item["score"] for item in items]
    return [item["item_id"] for item in items], scores, answer["source"], answer["num_unknown"]


def expected(found: Recommendation) -> tuple[list[Any], Any, str, int]:
    return list(found.items), pytest.approx(found.scores, abs=1e-5), found.source, found.num_unknown


def test_recommend_is_the_librarys(server: Server) -> None:
    answer = server.ask("POST", "/v1/recommend", {"history": [3, 4, 99, 5], "k": 7})
    assert answer["model"] == "shop"
    assert told(answer) == expected(server.recommender.recommend([3, 4, 99, 5], 7))
    assert answer["num_unknown"] == 1


def test_an_empty_history_is_answered_by_popularity(server: Server) -> None:
    answer = server.ask("POST", "/v1/recommend", {"history": []})
    assert answer["source"] == "popularity"
    assert [item["item_id"] for item in answer["items"]] == list(range(30, 20, -1))


def test_seen_items_are_left_out_as_they_were_where_the_model_was_judged(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    save_bundle(replace(bundle_of(), settings={"data": {"filter_seen": False}}), tmp_path / "songs")
    server, history = serve(tmp_path / "songs"), [3, 4]
    everything = server.ask("POST", "/v1/recommend", {"history": history, "k": NUM_ITEMS})
    assert told(everything) == expected(server.recommender.recommend(history, NUM_ITEMS, filter_seen=False))
    for said, left in ((None, NUM_ITEMS), (False, NUM_ITEMS), (True, NUM_ITEMS - 2)):
        body = {"k": NUM_ITEMS, "filter_seen": said}
        assert len(server.ask("POST", "/v1/recommend", {"history": history, **body})["items"]) == left
        session = f"/v1/sessions/{said}/events"
        assert len(server.ask("POST", session, {"item_ids": history, **body})["items"]) == left
    assert server.ask("GET", "/v1/models")["models"][0]["filter_seen"] is False


def test_rules_and_seen_items_reach_the_library(server: Server) -> None:
    body = {
        "history": [3, 4],
        "k": 5,
        "exclude": [7],
        "only": [3, 4, 7, 8, 9, 10],
        "boosts": [{"item_id": 9, "factor": 3.0}],
        "filter_seen": False,
    }
    rules = Rules([7], [3, 4, 7, 8, 9, 10], {9: 3.0})
    answer = told(server.ask("POST", "/v1/recommend", body))
    assert answer == expected(server.recommender.recommend([3, 4], 5, filter_seen=False, rules=rules))
    del body["history"]
    answer = told(server.ask("POST", "/v1/sessions/s/events", body | {"item_ids": [3, 4]}))
    assert answer == expected(server.recommender.recommend([3, 4], 5, filter_seen=False, rules=rules))


def test_a_session_grows_event_by_event(server: Server) -> None:
    history: list[int] = []
    for new in ([3], [4, 99, 5], [6], [6, 6]):
        history += new
        body = {"item_id": new[0]} if len(new) == 1 else {"item_ids": new}
        answer = server.ask("POST", "/v1/sessions/s/events", body)
        assert told(answer) == expected(server.recommender.recommend(history))
        assert (answer["session_id"], answer["num_events"], answer["model"]) == ("s", len(history), "shop")
    state = server.ask("GET", "/v1/sessions/s")
    assert state["items"] == [{"item_id": item, "title": None} for item in history]
    assert (state["session_id"], state["num_events"]) == ("s", len(history))
    assert state["updated"] > 1_600_000_000


def test_session_events_need_no_short_way(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    by_door = server.ask("POST", "/v1/sessions/a/events", {"item_ids": [3, 4]})
    monkeypatch.setattr("gsrec.serving.events.BEGIN", "/nowhere/")
    by_framework = server.ask("POST", "/v1/sessions/b/events", {"item_ids": [3, 4]})
    assert by_framework == by_door | {"session_id": "b"}
    response = server.client.post("/v1/sessions/b/events", json={"item_ids": [3], "k": 0})
    assert (response.status_code, response.json()["error"]["where"]) == (422, "body.k")


def test_a_deleted_session_begins_anew(server: Server) -> None:
    server.ask("POST", "/v1/sessions/s/events", {"item_ids": [3, 4]})
    assert server.ask("DELETE", "/v1/sessions/s") is None
    assert server.client.get("/v1/sessions/s").status_code == 404
    assert server.client.delete("/v1/sessions/s").status_code == 404
    answer = server.ask("POST", "/v1/sessions/s/events", {"item_id": 5})
    assert told(answer) == expected(server.recommender.recommend([5]))


def test_similar_items_are_the_librarys(server: Server) -> None:
    assert told(server.ask("GET", "/v1/items/7/similar?k=4")) == expected(server.recommender.similar_items(7, 4))


def test_explanations_are_the_librarys(server: Server) -> None:
    answer = server.ask("POST", "/v1/explain", {"history": [3, 99, 4], "item_id": 9})
    found = explain(server.recommender.bundle, [3, 99, 4], 9)
    assert answer.pop("model") == "shop"
    assert answer.pop("title") is None
    shares = [(event.place, event.item_id, pytest.approx(event.change, abs=1e-5)) for event in found.events]
    assert [(one["place"], one["item_id"], one["change"]) for one in answer.pop("events")] == shares
    record = found.record()
    names = ("item_id", "score", "num_unknown", "attention", "recurrence")
    wanted = {name: pytest.approx(record[name], abs=1e-5) for name in names}
    assert answer == wanted
    best = server.recommender.recommend([3, 99, 4], 1).items[0]
    assert server.ask("POST", "/v1/explain", {"history": [3, 99, 4]})["item_id"] == best


def test_models_are_told(server: Server) -> None:
    [facts] = server.ask("GET", "/v1/models")["models"]
    bundle = server.recommender.bundle
    assert facts == {
        "name": "shop",
        "kind": "gsrec",
        "num_items": 30,
        "num_parameters": sum(weights.numel() for weights in bundle.model.state_dict().values()),
        "fingerprint": bundle.fingerprint,
        "data": "small",
        "metrics": {"MRR": 0.5},
        "filter_seen": True,
        "index_recall": None,
    }


def test_two_bundles_are_served_side_by_side(serve: Callable[..., Server], shop: Path, tmp_path: Path) -> None:
    save_bundle(bundle_of("gru4rec", ids=list(range(11, 61))), tmp_path / "films.gsrec")
    other = Recommender.load(tmp_path / "films.gsrec")
    server = serve(shop, tmp_path / "films.gsrec")
    assert [model["name"] for model in server.ask("GET", "/v1/models")["models"]] == ["shop", "films"]
    history = [12, 13, 50]
    answer = server.ask("POST", "/v1/recommend", {"history": history, "model": "films"})
    assert (answer["model"], told(answer)) == ("films", expected(other.recommend(history)))
    answer = server.ask("GET", "/v1/items/50/similar?model=films")
    assert told(answer) == expected(other.similar_items(50))
    assert server.ask("POST", "/v1/explain", {"history": [12], "item_id": 50, "model": "films"})["attention"] is None


def test_a_session_can_be_asked_for_by_any_model(serve: Callable[..., Server], shop: Path, tmp_path: Path) -> None:
    save_bundle(bundle_of("sasrec", ids=list(range(11, 61))), tmp_path / "films")
    server, other = serve(shop, tmp_path / "films"), Recommender.load(tmp_path / "films")
    history = []
    for place, item in enumerate([12, 13, 50, 14, 5, 12, 11, 13]):
        history.append(item)
        model, recommender = ("films", other) if place % 3 else ("shop", server.recommender)
        answer = server.ask("POST", "/v1/sessions/s/events", {"item_id": item, "model": model})
        assert (answer["model"], told(answer)) == (model, expected(recommender.recommend(history)))


def test_items_that_are_strings(serve: Callable[..., Server], tmp_path: Path) -> None:
    save_bundle(bundle_of(ids=["a/b", "ham", "Eggs & co", "5"]), tmp_path / "words")
    server = serve(tmp_path / "words")
    answer = server.ask("POST", "/v1/sessions/s/events", {"item_ids": ["ham", 5, "5"], "k": 2})
    assert told(answer) == expected(server.recommender.recommend(["ham", 5, "5"], 2))
    assert [item["item_id"] for item in server.ask("GET", "/v1/sessions/s")["items"]] == ["ham", "5", "5"]
    explained = server.ask("POST", "/v1/explain", {"history": ["ham", 5], "item_id": 5})
    assert [explained["item_id"], *(event["item_id"] for event in explained["events"])] == ["5", "ham", "5"]
    assert len(server.ask("GET", "/v1/items/a%2Fb/similar?k=2")["items"]) == 2


def test_health_and_readiness(server: Server) -> None:
    assert server.ask("GET", "/healthz") == {"status": "alive"}
    assert server.ask("GET", "/readyz") == {"status": "ready"}
    service = server.client.app.state.service  # type: ignore[attr-defined]
    service.is_stopping = lambda: True
    response = server.client.get("/readyz")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "stopping")
    assert server.ask("GET", "/healthz") == {"status": "alive"}


def test_metrics_count_patterns_not_paths(server: Server) -> None:
    server.ask("POST", "/v1/sessions/secret-7/events", {"item_id": 3})
    server.client.get("/v1/sessions/other-8")
    server.client.get("/nowhere")
    text = server.client.get("/metrics").text
    route = 'route="/v1/sessions/{session_id}'
    assert f'gsrec_requests_total{{method="POST",{route}/events",status="200"}} 1.0' in text
    assert f'gsrec_requests_total{{method="GET",{route}",status="404"}} 1.0' in text
    assert 'route="none",status="404"} 1.0' in text
    assert "gsrec_live_sessions 1.0" in text
    assert "gsrec_session_requests_total 1.0" in text
    assert "secret" not in text


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_use_nothing_from_elsewhere(server: Server, path: str) -> None:
    response = server.client.get(path)
    assert response.headers["content-type"].startswith("text/html")
    assert "http://" not in response.text
    assert "https://" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_the_pages_files_are_served_and_nothing_else(server: Server) -> None:
    assert server.client.get("/static/app.js").headers["content-type"].startswith("text/javascript")
    assert server.client.get("/static/style.css").headers["content-type"].startswith("text/css")
    for name in ("nothing.js", "..%2Fapp.py", "%2E%2E%2f__init__.py", "app.py"):
        response = server.client.get(f"/static/{name}")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_docs_name_every_question(server: Server) -> None:
    text = server.client.get("/docs").text
    for path in server.ask("GET", "/openapi.json")["paths"]:
        assert path in text
    assert "item_ids" in text
