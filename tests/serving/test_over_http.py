"""A model asked over HTTP for `gsrec verify`, also after histories that no single request can hold."""

from pathlib import Path

from tests.serving.conftest import bundle_of

from gsrec.bundle import save_bundle
from gsrec.data.vocabulary import ItemId
from gsrec.recommend.recommender import Recommender
from gsrec.serving.body import MAX_BODY
from gsrec.serving.over_http import over_http
from gsrec.serving.schemas import MAX_HISTORY


def test_long_histories_and_long_ids_are_asked_for_in_sessions(tmp_path: Path) -> None:
    ids: list[ItemId] = [f"é-{place:0180}" for place in range(30)]
    bundle = bundle_of("gru4rec", ids=ids)
    save_bundle(bundle, tmp_path / "shop")
    histories = [ids[:3], (ids * 60)[:1800], (ids * 70)[: MAX_HISTORY + 1]]
    assert len("".join(map(str, histories[1])).encode()) > MAX_BODY
    with over_http(tmp_path / "shop") as ask:
        found = ask(histories, 5)
    assert found == [one.items for one in Recommender(bundle).recommend(histories, 5)]
