"""An explanation is what the model itself says with an event, or a part of it, left out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from gsrec.bundle import Bundle
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import ConfigError, DataError
from gsrec.models import GRU4RecConfig, GSRec, GSRecConfig, ModelConfig, PopRec, PopRecConfig, SASRecConfig, build_model
from gsrec.recommend.explain import explain
from gsrec.recommend.recommender import Recommender

CONFIGS: dict[str, ModelConfig] = {
    "poprec": PopRecConfig(),
    "gru4rec": GRU4RecConfig(embedding_size=8, recurrent_size=8),
    "sasrec": SASRecConfig(embedding_size=8, max_length=6),
    "gsrec": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3),
    "cosines": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3, temperature=0.1),
    "gsrec-thesis": GSRecConfig(
        embedding_size=8, num_heads=1, recurrent_size=8, window="all", feed_forward=False, residual=False, max_length=6
    ),
}


def bundle_of(name: str) -> Bundle:
    split = leave_one_out(synthetic_log(num_users=60, num_items=30, mean_length=9).to_sequences())
    model = build_model(CONFIGS[name], num_items=split.sequences.num_items, seed=2).eval()
    if isinstance(model, PopRec):
        model.count(split)
    for part in model.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight)
    return Bundle.of(model, CONFIGS[name], split)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_change_is_what_leaving_the_event_out_changes(name: str) -> None:
    bundle, history = bundle_of(name), [3, 999, 5, 7, 3, 9, 11, 2, 4]
    found = explain(bundle, history, 20)
    known = [place for place, item in enumerate(history) if item != 999]
    looked_at = known[-bundle.model.max_length :] if bundle.model.max_length else known
    assert [(event.place, event.item_id) for event in found.events] == [(place, history[place]) for place in looked_at]
    recommender = Recommender(bundle)

    def score(items: list[int]) -> float:
        answer = recommender.recommend(items, 30, filter_seen=False)
        return answer.scores[answer.items.index(20)]

    given = [history[place] for place in looked_at]
    assert found.score == pytest.approx(score(given), abs=1e-5)
    assert found.num_unknown == 1
    for place, event in enumerate(found.events):
        left = [history[other] for other in known if other != looked_at[place]]  # cut to the newest by who is asked
        if left:
            assert event.change == pytest.approx(found.score - score(left), abs=1e-5)
    assert found.record()["events"][0]["place"] == looked_at[0]


def test_the_parts_are_those_that_a_model_has() -> None:
    has = {name: explain(bundle_of(name), [3, 5, 7], 20) for name in CONFIGS}
    assert {name: (one.attention is not None, one.recurrence is not None) for name, one in has.items()} == {
        "poprec": (False, False),
        "gru4rec": (False, False),
        "sasrec": (True, False),
        "gsrec": (True, True),
        "cosines": (True, True),
        "gsrec-thesis": (True, False),
    }


def test_a_part_that_adds_nothing_is_told_so_and_the_model_stays_as_it_was() -> None:
    bundle = bundle_of("gsrec")
    assert isinstance(bundle.model, GSRec)
    items = torch.tensor([[3, 5, 7]])
    before = bundle.model.score(items)
    assert explain(bundle, [3, 5, 7], 20).recurrence != pytest.approx(0)
    assert bundle.model.score(items).equal(before)
    projection = bundle.model.recurrence.out_projection
    assert isinstance(projection, nn.Linear)
    nn.init.zeros_(projection.weight)
    nn.init.zeros_(projection.bias)
    assert explain(bundle, [3, 5, 7], 20).recurrence == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["sasrec", "gsrec"])
def test_parts_are_silenced_in_a_model_that_nobody_else_uses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    silenced: list[nn.Module] = []
    hook = nn.Module.register_forward_hook

    def told(part: nn.Module, *given: Any, **others: Any) -> Any:
        silenced.append(part)
        return hook(part, *given, **others)

    monkeypatch.setattr(nn.Module, "register_forward_hook", told)
    bundle = bundle_of(name)
    explain(bundle, [3, 5, 7], 20)
    assert silenced
    assert {id(part) for part in silenced}.isdisjoint(id(part) for part in bundle.model.modules())


def test_the_copy_shares_the_directions_of_the_items() -> None:
    bundle = bundle_of("cosines")
    assert isinstance(bundle.model, GSRec)
    with torch.inference_mode():
        directions = bundle.model.item_weights
        assert deepcopy(bundle.model.cosines).of_items(bundle.model.items.weight) is directions


def test_a_single_event() -> None:
    bundle = bundle_of("sasrec")
    nothing = bundle.model.score(torch.zeros(1, 1, dtype=torch.int64))[0, 20].item()
    found = explain(bundle, [5], 20)
    assert found.events[0].change == pytest.approx(found.score - nothing, abs=1e-5)


def test_without_an_item_the_one_recommended_first_is_explained() -> None:
    recommender = Recommender(bundle_of("gsrec"))
    best = recommender.recommend([3, 5, 7], 1)
    found = recommender.explain([3, 5, 7])
    assert found.score == pytest.approx(best.scores[0], abs=1e-5)
    assert found == recommender.explain([3, 5, 7], best.items[0])
    with pytest.raises(ConfigError, match=r"the history holds every item: nothing is left to recommend\. Name an item"):
        recommender.explain(list(recommender.bundle.vocabulary.ids))
    with pytest.raises(ConfigError, match="found the string 'a'"):
        recommender.explain("a", 3)


def test_it_tells_how_far_it_has_come() -> None:
    told: list[tuple[int, int | None]] = []
    explain(bundle_of("gsrec"), [3, 5, 7] * 50, 20, progress=lambda done, total: told.append((done, total)))
    assert told == [(64, 150), (128, 150), (150, 150)]


def test_what_cannot_be_explained() -> None:
    bundle = bundle_of("sasrec")
    with pytest.raises(DataError, match="the model does not know the item 999: there is nothing to explain"):
        explain(bundle, [1, 2], 999)
    for history in ([], [999]):
        with pytest.raises(ConfigError, match="the history has no event that the model knows"):
            explain(bundle, history, 3)
