"""What each model has of its own; what they share is checked in `tests/contract`."""

from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from gsrec.errors import ConfigError
from gsrec.models import (
    MODELS,
    BERT4Rec,
    BERT4RecConfig,
    GRU4RecConfig,
    GSRec,
    GSRecConfig,
    HybridConfig,
    ModelConfig,
    SASRecConfig,
    SequenceEncoder,
    build_model,
)
from gsrec.models.blocks import drop
from gsrec.models.recurrence import Recurrence

OF_NAMES: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def shapes(config: ModelConfig, *, num_items: int = 7) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, by name, of the blocks' only the first one's."""
    named = build_model(config, num_items=num_items).named_parameters()
    return {name: tuple(part.shape) for name, part in named if not name.startswith("blocks.1")}


def test_the_name_says_which_model() -> None:
    for name in MODELS:
        config = OF_NAMES.validate_python({"name": name})
        assert config.name == name
        kind = type(build_model(config, num_items=3)).__name__.lower()
        assert kind == ("hybrid" if isinstance(config, HybridConfig) else name)
    with pytest.raises(ValidationError, match="lightgcn"):
        OF_NAMES.validate_python({"name": "lightgcn"})


def test_every_model_has_a_name() -> None:
    union = get_args(ModelConfig)[0]
    names = [get_args(part.model_fields["name"].annotation) for part in get_args(union)]
    assert sorted(name for some in names for name in some) == sorted(MODELS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gru4rec", 2),  # of what goes into the recurrence, and of what comes out
        ("sasrec", 5),  # of the embeddings, and of both parts of each block
        ("bert4rec", 5),
        ("gsrec", 7),  # as sasrec, and of the recurrence and of the feed-forward behind it
    ],
)
def test_where_dropout_is(name: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[float, bool]] = []

    def watched(hidden: Tensor, share: float, is_training: bool) -> Tensor:
        given.append((share, is_training))
        return drop(hidden, share, is_training)

    for module in ("blocks", "bert4rec", "gru4rec", "gsrec", "sasrec"):
        monkeypatch.setattr(f"gsrec.models.{module}.drop", watched)
    config = OF_NAMES.validate_python({"name": name, "dropout": 0.3, "embedding_size": 8})
    model = build_model(config, num_items=5, seed=1)
    assert isinstance(model, SequenceEncoder)
    model.encode(torch.tensor([[1, 2, 3]]))
    assert given == [(0.3, True)] * expected


@pytest.mark.parametrize("name", ["gru4rec", "gsrec"])
def test_dropout_is_between_recurrent_layers_as_well(name: str) -> None:
    sizes = {"name": name, "dropout": 0.3, "embedding_size": 8, "recurrent_size": 8, "num_recurrent_layers": 2}
    model = build_model(OF_NAMES.validate_python(sizes), num_items=5, seed=1)
    [recurrence] = (part for part in model.modules() if isinstance(part, Recurrence))
    assert recurrence.layers.dropout == 0.3


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("sasrec", "num_block", 2),
        ("sasrec", "dropout", 1.0),
        ("gru4rec", "cell", "mgu"),
        ("gru4rec", "embedding_size", 0),
        ("bert4rec", "num_heads", -1),
        ("gsrec", "window", 0),
        ("gsrec", "window", "some"),
        ("gsrec", "max_length", 2.5),
    ],
)
def test_what_is_out_of_range_or_unknown_is_named(name: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        OF_NAMES.validate_python({"name": name, key: value})


@pytest.mark.parametrize("kind", [SASRecConfig, BERT4RecConfig, GSRecConfig])
def test_heads_must_divide_the_size(kind: type[SASRecConfig | BERT4RecConfig | GSRecConfig]) -> None:
    with pytest.raises(ConfigError, match="must be a multiple of num_heads, found 10 and 3"):
        build_model(kind(embedding_size=10, num_heads=3), num_items=4)


def test_bert4rec_puts_a_mask_behind_the_newest_item() -> None:
    model = build_model(BERT4RecConfig(embedding_size=4, max_length=6), num_items=7).eval()
    assert isinstance(model, BERT4Rec)
    assert (model.mask_item, model.max_length) == (8, 5)
    given: list[torch.Tensor] = []
    model.items.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    model.score(torch.tensor([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0], [0, 0, 0, 0, 0]]))
    assert given[0].tolist() == [[3, 1, 4, 1, 5, 8], [2, 6, 8, 0, 0, 0], [8, 0, 0, 0, 0, 0]]
    assert model.item_weights.shape == (8, 4)


def test_bert4rec_masks_in_a_history_are_items_to_look_at() -> None:
    model = build_model(BERT4RecConfig(embedding_size=4, max_length=6), num_items=7).eval()
    assert isinstance(model, BERT4Rec)
    with torch.no_grad():
        model.items.weight[8] += 3
    masked, other = model.encode(torch.tensor([[3, 8, 4], [3, 1, 4]]))[:, 0]
    assert not masked.allclose(other)


def test_gru4rec_starts_from_embeddings_its_gates_can_see() -> None:
    model = build_model(GRU4RecConfig(embedding_size=64), num_items=2000)
    weights = dict(model.named_parameters())["items.weight"]
    assert weights[1:].detach().std() == pytest.approx(64**-0.5 * 0.88, rel=0.02)  # 0.88: cut off at two deviations


def test_gsrec_as_in_the_thesis() -> None:
    config = GSRecConfig(
        embedding_size=6,
        num_heads=1,
        window="all",
        feed_forward=False,
        recurrent_size=5,
        residual=False,
        tied_weights=False,
        max_length=9,
    )
    assert shapes(config) == {
        "items.weight": (8, 6),
        "positions.weight": (9, 6),
        "blocks.0.attention.in_projection.weight": (18, 6),
        "blocks.0.attention.in_projection.bias": (18,),
        "blocks.0.attention.out_projection.weight": (6, 6),
        "blocks.0.attention.out_projection.bias": (6,),
        "blocks.0.attention_norm.weight": (6,),
        "blocks.0.attention_norm.bias": (6,),
        "recurrence.norm.weight": (6,),
        "recurrence.norm.bias": (6,),
        "recurrence.recurrence.layers.weight_ih_l0": (15, 6),
        "recurrence.recurrence.layers.weight_hh_l0": (15, 5),
        "recurrence.recurrence.layers.bias_ih_l0": (15,),
        "recurrence.recurrence.layers.bias_hh_l0": (15,),
        "output.weight": (8, 5),
        "output.bias": (8,),
    }


def test_gsrecs_output_layer_starts_from_all_items_being_equally_likely() -> None:
    model = build_model(GSRecConfig(tied_weights=False), num_items=50)
    assert isinstance(model, GSRec)
    assert model.item_bias is not None
    assert model.item_bias.exp().tolist() == pytest.approx([1 / 50] * 51)


@pytest.mark.parametrize(("recurrent_size", "projected"), [(6, False), (5, True)])
def test_gsrec_projects_back_only_where_sizes_differ(recurrent_size: int, projected: bool) -> None:
    config = GSRecConfig(embedding_size=6, recurrent_size=recurrent_size, residual=False)
    assert (shapes(config).get("out_projection.weight") == (6, 5)) == projected
    assert ("out_projection.weight" in shapes(config)) == projected


def test_gsrec_with_a_window_has_biases_by_distance_and_no_positions() -> None:
    found = shapes(GSRecConfig(embedding_size=6, num_heads=2, window=4))
    assert found["blocks.0.attention.window.distance_bias"] == (2, 4)
    assert "positions.weight" not in found
    assert "output.weight" not in found


def test_num_blocks_and_layers_are_obeyed() -> None:
    model = build_model(GSRecConfig(embedding_size=4, num_blocks=3, num_recurrent_layers=2), num_items=3)
    names = [name for name, _ in model.named_parameters()]
    assert sum(name.endswith("attention.in_projection.weight") for name in names) == 3
    assert sum("weight_hh_l" in name for name in names) == 2


def test_feed_forwards_can_be_left_out() -> None:
    for kind in (SASRecConfig, GSRecConfig):
        with_them, without = shapes(kind()), shapes(kind(feed_forward=False))
        assert set(without) < set(with_them)
        assert all(name.startswith("blocks.0.feed_forward") for name in set(with_them) - set(without))
