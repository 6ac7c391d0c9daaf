"""Windows, recurrences and whole GSRecs against plain numpy, one history at a time, in float64.

The formulas of the recurrences are those of the thesis (section 3.1), with `[h, x]` written as two products. torch's
weights correspond to them so: `weight_ih` holds the columns for x and `weight_hh` those for h, gates one below the
other in the order reset, update, candidate (GRU) and input, forget, candidate, output (LSTM); the two biases of a gate
add up to the thesis's one. One formula is not torch's: the thesis resets the state before the product,
tanh(W x + U (r * h) + b), torch after it, tanh(W x + b + r * (U h + c)). They agree where U is diagonal and c is 0.

Legend: L length, D hidden, H heads, E = D / H, W window, R recurrent size, V items.
"""

from collections.abc import Callable
from math import erf

import numpy as np
import pytest
import torch
from torch import nn

from gsrec.models import GSRecConfig, build_model
from gsrec.models.attention import Attention
from gsrec.models.gsrec import GSRec, ResidualRecurrence
from gsrec.models.recurrence import Cell, Recurrence

Weights = dict[str, np.ndarray]


def randomise(module: nn.Module) -> Weights:
    """Give the module random weights in float64, large enough for every one to matter; numpy sees the same memory."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for part in module.parameters():
            part.normal_(0, 0.6, generator=generator)
    module.double().eval()
    return {name: part.detach().numpy() for name, part in module.named_parameters()}


def inner(weights: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): part for name, part in weights.items() if name.startswith(prefix)}


def linear(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def layer_norm(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return np.asarray(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def feed_forward(x: np.ndarray, weights: Weights) -> np.ndarray:
    inner = linear(x, weights, "in_projection")
    gelu = np.vectorize(lambda value: value * (1 + erf(value / np.sqrt(2))) / 2)
    return linear(gelu(inner), weights, "out_projection")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def attention(x: np.ndarray, weights: Weights, *, num_heads: int, window: int | None) -> np.ndarray:
    """Every position t by itself: the softmax over positions t - W + 1 to t, weighted by product and distance."""
    length, size = x.shape
    head_size = size // num_heads
    queries, keys, values = np.split(linear(x, weights, "in_projection"), 3, axis=1)
    mixed = np.zeros_like(x)
    for head in range(num_heads):
        columns = slice(head * head_size, (head + 1) * head_size)
        for t in range(length):
            seen = range(0 if window is None else max(0, t - window + 1), t + 1)
            scores = np.array([queries[t, columns] @ keys[s, columns] / np.sqrt(head_size) for s in seen])
            if window is not None:
                scores += [weights["window.distance_bias"][head, t - s] for s in seen]
            shares = np.exp(scores) / np.exp(scores).sum()
            mixed[t, columns] = shares @ values[list(seen)][:, columns]
    return linear(mixed, weights, "out_projection")


State = tuple[np.ndarray, np.ndarray]
"""The hidden state h and, of an LSTM, the cell state C, (R,) each."""


def rnn_step(state: State, from_x: np.ndarray, weight_h: np.ndarray, bias_h: np.ndarray) -> State:
    h, cell = state
    return np.tanh(from_x + weight_h @ h + bias_h), cell


def lstm_step(state: State, from_x: np.ndarray, weight_h: np.ndarray, bias_h: np.ndarray) -> State:
    h, cell = state
    i, f, candidate, o = np.split(from_x + weight_h @ h + bias_h, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(cell), cell


def gru_step(state: State, from_x: np.ndarray, weight_h: np.ndarray, bias_h: np.ndarray) -> State:
    h, cell = state
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(from_x, 3), np.split(weight_h @ h + bias_h, 3)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    candidate = np.tanh(x_n + r * h_n)
    return (1 - z) * candidate + z * h, cell


def thesis_gru_step(state: State, from_x: np.ndarray, weight_h: np.ndarray, bias_h: np.ndarray) -> State:
    h, cell = state
    (x_r, x_z, x_n), (w_r, w_z, w_n), (b_r, b_z, b_n) = (np.split(part, 3) for part in (from_x, weight_h, bias_h))
    r, z = sigmoid(x_r + w_r @ h + b_r), sigmoid(x_z + w_z @ h + b_z)
    candidate = np.tanh(x_n + w_n @ (r * h) + b_n)
    return (1 - z) * candidate + z * h, cell


StepFunction = Callable[[State, np.ndarray, np.ndarray, np.ndarray], State]
STEPS: dict[Cell, StepFunction] = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}


def recurrence(x: np.ndarray, weights: Weights, step: StepFunction, *, num_layers: int = 1) -> np.ndarray:
    """The hidden states (L, R) of the last layer, each layer's states the inputs of the next."""
    for layer in range(num_layers):
        weight_h, bias_h = weights[f"layers.weight_hh_l{layer}"], weights[f"layers.bias_hh_l{layer}"]
        state, states = (np.zeros(weight_h.shape[1]), np.zeros(weight_h.shape[1])), []
        for event in x:
            from_x = weights[f"layers.weight_ih_l{layer}"] @ event + weights[f"layers.bias_ih_l{layer}"]
            state = step(state, from_x, weight_h, bias_h)
            states.append(state[0])
        x = np.array(states)
    return x


def gsrec(items: list[int], weights: Weights, config: GSRecConfig) -> np.ndarray:
    """The scores (V + 1,) of what follows one history."""
    window = None if config.window == "all" else config.window
    hidden = weights["items.weight"][items] * np.sqrt(config.embedding_size)
    if window is None:
        hidden = hidden + weights["positions.weight"][: len(items)]
    for number in range(config.num_blocks):
        block = inner(weights, f"blocks.{number}.")
        normed = layer_norm(hidden, block, "attention_norm")
        hidden = hidden + attention(normed, inner(block, "attention."), num_heads=config.num_heads, window=window)
        if config.feed_forward:
            normed = layer_norm(hidden, block, "feed_forward_norm")
            hidden = hidden + feed_forward(normed, inner(block, "feed_forward."))
    behind = inner(weights, "recurrence.")
    hidden = residual_recurrence(hidden, behind, config) if config.residual else replacing(hidden, behind, config)
    if config.tied_weights:
        return np.asarray(weights["items.weight"] @ hidden[-1])
    return linear(hidden[-1], weights, "output")


def replacing(hidden: np.ndarray, weights: Weights, config: GSRecConfig) -> np.ndarray:
    normed = layer_norm(hidden, weights, "norm")
    if config.cell == "none":
        return normed
    recurrent = inner(weights, "recurrence.")
    return recurrence(normed, recurrent, STEPS[config.cell], num_layers=config.num_recurrent_layers)


def residual_recurrence(hidden: np.ndarray, weights: Weights, config: GSRecConfig) -> np.ndarray:
    if config.cell != "none":
        states = recurrence(
            layer_norm(hidden, weights, "recurrence_norm"),
            inner(weights, "recurrence."),
            STEPS[config.cell],
            num_layers=config.num_recurrent_layers,
        )
        hidden = hidden + linear(states, weights, "out_projection")
    hidden = hidden + feed_forward(layer_norm(hidden, weights, "feed_forward_norm"), inner(weights, "feed_forward."))
    return layer_norm(hidden, weights, "norm")


def histories(length: int, size: int) -> np.ndarray:
    """(2, L, D) float64."""
    return np.random.default_rng(6).normal(size=(2, length, size))


@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("window", [None, 1, 2, 4, 8, 50])
def test_attention_to_the_events_up_to_each_one(length: int, window: int | None) -> None:
    layer, x = Attention(6, 2, window=window), histories(length, 6)
    weights = randomise(layer)
    expected = [attention(history, weights, num_heads=2, window=window) for history in x]
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", STEPS)
def test_recurrences(cell: Cell, num_layers: int) -> None:
    layer, x = Recurrence(4, 5, cell=cell, num_layers=num_layers), histories(6, 4)
    weights = randomise(layer)
    expected = [recurrence(history, weights, STEPS[cell], num_layers=num_layers) for history in x]
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def test_the_thesis_resets_a_gru_before_the_product_and_torch_after_it() -> None:
    layer, x = Recurrence(4, 5, cell="gru", num_layers=1), histories(6, 4)
    weights = randomise(layer)

    def difference() -> float:
        by_thesis = [recurrence(history, weights, thesis_gru_step) for history in x]
        return float(np.abs(layer(torch.from_numpy(x)).detach().numpy() - by_thesis).max())

    assert difference() > 1e-3
    weights["layers.weight_hh_l0"][10:] *= np.eye(5)
    weights["layers.bias_hh_l0"][10:] = 0
    assert difference() < 1e-12


THESIS = GSRecConfig(
    embedding_size=6,
    num_blocks=2,
    num_heads=1,
    window="all",
    feed_forward=False,
    recurrent_size=5,
    residual=False,
    tied_weights=False,
    max_length=9,
)
DEFAULT = GSRecConfig(embedding_size=6, recurrent_size=5, window=3, max_length=9)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(THESIS, id="thesis"),
        pytest.param(THESIS.model_copy(update={"cell": "lstm", "num_recurrent_layers": 2}), id="thesis-lstm-2"),
        pytest.param(THESIS.model_copy(update={"cell": "rnn", "feed_forward": True, "num_heads": 3}), id="thesis-rnn"),
        pytest.param(DEFAULT, id="default"),
        pytest.param(DEFAULT.model_copy(update={"cell": "lstm", "window": "all"}), id="default-lstm-all"),
        pytest.param(DEFAULT.model_copy(update={"cell": "none"}), id="default-none"),
        pytest.param(THESIS.model_copy(update={"cell": "none"}), id="thesis-none"),
    ],
)
def test_a_whole_gsrec(config: GSRecConfig) -> None:
    model = build_model(config, num_items=8)
    assert isinstance(model, GSRec)
    weights = randomise(model)
    rows = [[3, 1, 4, 1, 5, 8, 2, 6, 5], [7], [2, 7, 1, 8]]
    padded = torch.tensor([row + [0] * (9 - len(row)) for row in rows])
    expected = [gsrec(row, weights, config) for row in rows]
    np.testing.assert_allclose(model.score(padded).detach().numpy(), expected, rtol=1e-7, atol=1e-9)


def test_a_recurrence_unlike_the_embedding_is_projected_back_where_scores_are_tied() -> None:
    config = THESIS.model_copy(update={"tied_weights": True})
    model = build_model(config, num_items=8)
    assert isinstance(model, GSRec)
    weights = randomise(model)
    untied = {**weights, "output.weight": np.eye(5), "output.bias": np.zeros(5)}  # the last state itself
    state = gsrec([3, 1, 4], untied, THESIS)
    expected = weights["items.weight"] @ linear(state, weights, "out_projection")
    np.testing.assert_allclose(model.score(torch.tensor([[3, 1, 4]])).detach().numpy()[0], expected, rtol=1e-9)


def test_the_residual_recurrence_alone() -> None:
    layer, x = ResidualRecurrence(DEFAULT), histories(4, 6)
    weights = randomise(layer)
    expected = [residual_recurrence(history, weights, DEFAULT) for history in x]
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-9, atol=1e-12)
