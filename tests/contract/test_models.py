"""The contract that every model passes, whatever is inside.

Legend: B batch, L length, V items.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gsrec.bundle import Bundle, DataFacts, load_bundle, save_bundle
from gsrec.data import Vocabulary
from gsrec.models import (
    MODELS,
    BERT4Rec,
    BERT4RecConfig,
    GRU4RecConfig,
    GSRecConfig,
    HybridConfig,
    Model,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRecConfig,
    Scorer,
    SequenceEncoder,
    State,
    StreamingEncoder,
    build_model,
)
from gsrec.ranking import mask_seen, top_k
from gsrec.training.losses import softmax_loss

NUM_ITEMS, MAX_LENGTH = 30, 9
ATTENTION = {"embedding_size": 8, "num_heads": 2, "max_length": MAX_LENGTH}
GSREC = {**ATTENTION, "recurrent_size": 12}
THESIS = {**GSREC, "window": "all", "feed_forward": False, "residual": False, "tied_weights": False}

CONFIGS: dict[str, ModelConfig] = {
    "poprec": PopRecConfig(),
    "gru4rec": GRU4RecConfig(embedding_size=8, recurrent_size=12, max_length=MAX_LENGTH),
    "gru4rec-lstm": GRU4RecConfig(
        embedding_size=8, recurrent_size=12, max_length=MAX_LENGTH, cell="lstm", num_recurrent_layers=2
    ),
    "sasrec": SASRecConfig.model_validate(ATTENTION),
    "gru4rec-cosine": GRU4RecConfig(embedding_size=8, recurrent_size=12, max_length=MAX_LENGTH, temperature=0.1),
    "sasrec-cosine": SASRecConfig.model_validate({**ATTENTION, "temperature": 0.1}),
    "sasrec-attention-only": SASRecConfig.model_validate({**ATTENTION, "feed_forward": False}),
    "bert4rec": BERT4RecConfig.model_validate({**ATTENTION, "max_length": MAX_LENGTH + 1}),
    "gsrec": GSRecConfig.model_validate(GSREC),
    "gsrec-thesis": GSRecConfig.model_validate(THESIS),
    "gsrec-thesis-tied": GSRecConfig.model_validate({**THESIS, "tied_weights": True}),
    "gsrec-lstm": GSRecConfig.model_validate({**GSREC, "cell": "lstm"}),
    "gsrec-rnn": GSRecConfig.model_validate({**THESIS, "cell": "rnn"}),
    "gsrec-none": GSRecConfig.model_validate({**GSREC, "cell": "none"}),
    "gsrec-thesis-none": GSRecConfig.model_validate({**THESIS, "cell": "none"}),
    "gsrec-two-layers": GSRecConfig.model_validate({**GSREC, "num_recurrent_layers": 2}),
    "gsrec-window-1": GSRecConfig.model_validate({**GSREC, "window": 1}),
    "gsrec-window-4": GSRecConfig.model_validate({**GSREC, "window": 4}),
    "gsrec-cosine": GSRecConfig.model_validate({**GSREC, "temperature": 0.1}),
    "gsrec-all": GSRecConfig.model_validate({**GSREC, "window": "all"}),
    "gat4rec": HybridConfig.model_validate({**GSREC, "name": "gat4rec", "latest": 3}),
    "fdg-trans-cosine": HybridConfig.model_validate({**GSREC, "name": "fdg-trans", "temperature": 0.1}),
    "fdg-trans": HybridConfig.model_validate({**GSREC, "name": "fdg-trans"}),
    "gru-transformer": HybridConfig.model_validate({**GSREC, "name": "gru-transformer"}),
}
NEURAL = [name for name in CONFIGS if name != "poprec"]
WHOLE = {
    "gru4rec",
    "gru4rec-lstm",
    "gru4rec-cosine",
    "gsrec",
    "gsrec-lstm",
    "gsrec-none",
    "gsrec-two-layers",
    "gsrec-window-1",
    "gsrec-window-4",
    "gsrec-cosine",
}
"""Those that take histories of any length."""

HISTORIES = [[7], [3, 4], [9, 9, 1, 30], [5, 6, 7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 5, 6, 7, 8, 9], [30, 1, 2, 30, 4]]


def laid_out(histories: Sequence[Sequence[int]], length: int = MAX_LENGTH) -> Tensor:
    """(B, L) int64, right-padded with 0."""
    return torch.tensor([[*history, *[0] * (length - len(history))] for history in histories])


def lively(name: str, *, dropout: float | None = None) -> Model:
    """A model whose weights are all large enough to matter, biases too; its padding row stays zero."""
    config = CONFIGS[name]
    if dropout is not None and not isinstance(config, PopRecConfig):
        config = config.model_copy(update={"dropout": dropout})
    model = build_model(config, num_items=NUM_ITEMS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in model.parameters():
            part.normal_(0, 0.5, generator=generator)
    if isinstance(model, PopRec):
        model.counts = torch.arange(NUM_ITEMS + 1.0)
    return model.eval()


def encoder(name: str) -> SequenceEncoder:
    model = lively(name)
    assert isinstance(model, SequenceEncoder)
    return model


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> Model:
    return lively(request.param)


def test_every_model_is_held_to_the_contract() -> None:
    assert {config.name for config in CONFIGS.values()} == set(MODELS)


def test_protocols(model: Model) -> None:
    assert isinstance(model, Scorer)
    assert isinstance(model, SequenceEncoder) == (not isinstance(model, PopRec))


def test_scores_have_a_column_for_every_item_index(model: Model) -> None:
    scores = model.score(laid_out(HISTORIES))
    assert scores.shape == (len(HISTORIES), NUM_ITEMS + 1)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()


def test_scores_are_memory_of_their_own(model: Model) -> None:
    items = laid_out(HISTORIES)
    with torch.inference_mode():
        before = model.score(items)
        mask_seen(model.score(items), items)
        torch.testing.assert_close(model.score(items), before, rtol=0, atol=0)


def test_padding_changes_nothing(model: Model) -> None:
    together = model.score(laid_out(HISTORIES))
    for row, history in enumerate(HISTORIES):
        torch.testing.assert_close(together[row], model.score(torch.tensor([history]))[0], rtol=1e-4, atol=1e-5)


def test_rows_know_nothing_of_each_other(model: Model) -> None:
    order = torch.tensor([4, 0, 3, 5, 1, 2])
    items = laid_out(HISTORIES)
    torch.testing.assert_close(model.score(items[order]), model.score(items)[order], rtol=1e-4, atol=1e-5)


def test_the_history_is_only_read(model: Model) -> None:
    items = laid_out(HISTORIES)
    model.score(items)
    assert items.equal(laid_out(HISTORIES))


def test_a_history_as_long_as_can_be(model: Model, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["model"]
    most = 1 if isinstance(model, PopRec) else None if name in WHOLE else MAX_LENGTH
    assert model.max_length == most
    assert model.score(torch.arange(most or 20 * MAX_LENGTH)[None] % NUM_ITEMS + 1).isfinite().all()


def test_an_empty_history_beside_others(model: Model) -> None:
    scores = model.score(laid_out([[], [3, 4], []]))
    assert scores.isfinite().all()
    torch.testing.assert_close(scores[0], scores[2])
    torch.testing.assert_close(scores[0], model.score(torch.zeros(1, 1, dtype=torch.int64))[0], rtol=1e-4, atol=1e-5)


def test_neither_padding_nor_seen_items_are_among_the_best(model: Model) -> None:
    items = laid_out(HISTORIES)
    with torch.inference_mode():
        scores = model.score(items)
        mask_seen(scores, items)
        best = top_k(scores, NUM_ITEMS)[1]
    for history, row in zip(HISTORIES, best.tolist(), strict=True):
        candidates = set(range(1, NUM_ITEMS + 1)) - set(history)
        assert set(row[: len(candidates)]) == candidates
        assert row[len(candidates) :] == [0] * len(set(history))


def test_a_saved_model_gives_the_same_scores(model: Model, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    facts = DataFacts(name="log", fingerprint="0" * 64, num_users=1, num_items=NUM_ITEMS, num_interactions=1)
    vocabulary = Vocabulary.of([f"item {item}" for item in range(NUM_ITEMS)])
    config = CONFIGS[request.node.callspec.params["model"]]
    counts = torch.arange(NUM_ITEMS + 1)
    save_bundle(Bundle(model.train(), config, vocabulary, facts, counts), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.config == config
    items = laid_out(HISTORIES)
    assert loaded.model.score(items).equal(model.eval().score(items))


@pytest.mark.parametrize("name", CONFIGS)
def test_new_weights_are_a_function_of_the_seed(name: str) -> None:
    def weights(seed: int, disturbance: int) -> list[Tensor]:
        torch.manual_seed(disturbance)
        before = torch.random.get_rng_state()
        made = build_model(CONFIGS[name], num_items=NUM_ITEMS, seed=seed)
        assert torch.random.get_rng_state().equal(before)
        return list(made.state_dict().values())

    first, again, other = weights(1, 10), weights(1, 20), weights(2, 10)
    assert all(left.equal(right) for left, right in zip(first, again, strict=True))
    differ = any(not left.equal(right) for left, right in zip(first, other, strict=True))
    assert differ == (name != "poprec")


@pytest.mark.parametrize("name", NEURAL)
def test_judging_is_deterministic_and_training_has_dropout(name: str) -> None:
    model, items = lively(name, dropout=0.5), laid_out(HISTORIES)
    assert model.score(items).equal(model.score(items))
    model.train()
    assert not model.score(items).equal(model.score(items))


@pytest.mark.parametrize("name", NEURAL)
def test_without_dropout_training_computes_the_same(name: str) -> None:
    model, items = lively(name, dropout=0.0), laid_out(HISTORIES)
    torch.testing.assert_close(model.train().score(items), model.eval().score(items), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NEURAL if name != "bert4rec"])
def test_the_future_does_not_change_the_past(name: str) -> None:
    model, items = encoder(name), torch.arange(1, MAX_LENGTH + 1)[None]
    whole = model.encode(items)
    for length in range(1, MAX_LENGTH):
        torch.testing.assert_close(model.encode(items[:, :length]), whole[:, :length], rtol=1e-4, atol=1e-5)
        changed = items.clone()
        changed[:, length:] = 30
        torch.testing.assert_close(model.encode(changed)[:, :length], whole[:, :length], rtol=1e-4, atol=1e-5)


def test_bert4rec_looks_both_ways() -> None:
    model, items = encoder("bert4rec"), torch.arange(1, MAX_LENGTH + 1)[None]
    changed = items.clone()
    changed[0, -1] = 30
    difference = (model.encode(items) - model.encode(changed)).abs().amax(2)
    assert (difference > 1e-3).all()


@pytest.mark.parametrize("name", NEURAL)
def test_rows_of_padding_only_can_be_encoded(name: str) -> None:
    hidden = encoder(name).encode(laid_out([[], [3, 4]]))
    assert hidden.isfinite().all()


@pytest.mark.parametrize("name", NEURAL)
def test_the_whole_history_matters(name: str) -> None:
    model, items = lively(name), torch.arange(1, MAX_LENGTH + 1)[None]
    scores = model.score(items)
    for place in range(MAX_LENGTH):
        changed = items.clone()
        changed[0, place] = 30
        assert (model.score(changed) - scores).abs().max() > 1e-6, place


@pytest.mark.parametrize("name", NEURAL)
def test_scores_are_products_of_hidden_vectors_and_item_weights(name: str) -> None:
    model, items = encoder(name), laid_out(HISTORIES)
    assert isinstance(model, Scorer)
    given, last = items, items.count_nonzero(1) - 1
    if isinstance(model, BERT4Rec):  # it fills in a [MASK] that stands behind the newest item
        given, last = torch.cat([items, torch.zeros(len(items), 1, dtype=torch.int64)], dim=1), last + 1
        given[torch.arange(len(items)), last] = model.mask_item
    expected = model.encode(given)[torch.arange(len(items)), last] @ model.item_weights.T
    if model.item_bias is not None:
        expected = expected + model.item_bias
    torch.testing.assert_close(model.score(items), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NEURAL if name != "gsrec-window-1"])  # its one bias cancels out
def test_training_reaches_every_weight_but_paddings(name: str) -> None:
    model, items = encoder(name), laid_out(HISTORIES)
    hidden = model.encode(items)[items > 0]
    softmax_loss(hidden, model.item_weights, items[items > 0], bias=model.item_bias).backward()
    assert isinstance(model, nn.Module)
    gradients = {label: part.grad for label, part in model.named_parameters()}
    assert [label for label, gradient in gradients.items() if gradient is None or not gradient.any()] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)
    for label in ("items.weight", "output.weight", "output.bias", "bias"):
        gradient = gradients.get(label)
        assert gradient is None or not gradient[0].any(), label


STREAMING = [name for name in NEURAL if name.partition("-")[0] in ("gru4rec", "sasrec", "gsrec")]


def test_who_streams() -> None:
    assert [name for name in CONFIGS if isinstance(lively(name), StreamingEncoder)] == STREAMING


@pytest.mark.parametrize("name", STREAMING)
def test_event_by_event_a_history_is_encoded_as_it_is_at_once(name: str) -> None:
    model = lively(name)
    assert isinstance(model, StreamingEncoder)
    items = torch.randint(1, NUM_ITEMS + 1, (4, MAX_LENGTH), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = encoder(name).encode(items)
        state = model.start(4)
        for place in range(MAX_LENGTH):
            before = [part.clone() for part in state.parts]
            following, hidden = model.stepper()(state, items[:, place])
            torch.testing.assert_close(hidden, expected[:, place], rtol=1e-5, atol=1e-5)
            assert all(part.equal(kept) for part, kept in zip(state.parts, before, strict=True))
            state = following
    assert state.events.tolist() == [MAX_LENGTH] * 4


@pytest.mark.parametrize("name", STREAMING)
def test_states_of_histories_of_any_length_step_together(name: str) -> None:
    model = lively(name)
    assert isinstance(model, StreamingEncoder)
    histories = [history for history in HISTORIES if len(history) < MAX_LENGTH]
    alone = []
    with torch.inference_mode():
        for history in histories:
            state = model.start(1)
            for item in history:
                state, _ = model.stepper()(state, torch.tensor([item]))
            alone.append(state)
        parts = zip(*(state.parts for state in alone), strict=True)
        together = State(torch.cat([s.events for s in alone]), tuple(torch.cat(part) for part in parts))
        _, hidden = model.stepper()(together, torch.arange(1, len(histories) + 1))
        for row, (state, single) in enumerate(zip(alone, hidden, strict=True), start=1):
            _, expected = model.stepper()(state, torch.tensor([row]))
            torch.testing.assert_close(single, expected[0], rtol=1e-5, atol=1e-5)
