"""The recurrent layer: GRU, LSTM or plain RNN over the whole history, oldest item first.

Legend: B batch, L length, D hidden, R recurrent size, S rows of state: a layer's, and a second one of an LSTM's cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Cell = Literal["gru", "lstm", "rnn"]

StepOfRecurrence = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Takes one event further: from the state (B, S, R) and hidden (B, D) to the next state and hidden (B, R)."""

FAINT = 1e-25
"""What goes back through a GRU counts as nothing below this. With one target a row it fades within some hundred steps
to numbers that processors multiply twenty times slower than others (below 1e-38, "subnormal")."""

STEPS_TO_FADE = 8

CELLS: dict[str, type[nn.GRU | nn.LSTM | nn.RNN]] = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


class Recurrence(nn.Module):
    """A recurrent layer over the whole history.

    With right padding no output at a real position depends on padding, so nothing needs packing.
    """

    def __init__(self, size: int, hidden_size: int, *, cell: Cell, num_layers: int, dropout: float = 0.0) -> None:
        """Make `num_layers` layers from size to hidden_size, with dropout between them."""
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        self.layers = CELLS[cell](size, hidden_size, num_layers, batch_first=True, dropout=between)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, R)."""
        if not isinstance(self.layers, nn.GRU):
            output: Tensor = self.layers(hidden)[0]
            return output
        for number, weights in enumerate(self.layers.all_weights):
            if number:
                hidden = F.dropout(hidden, self.layers.dropout, self.training)
            hidden = gru(hidden, *weights)
        return hidden

    def start(self, batch: int) -> Tensor:
        """The state (B, S, R) before the first event: a row a layer, and for an LSTM a second one for its cell."""
        rows = self.layers.num_layers * (2 if isinstance(self.layers, nn.LSTM) else 1)
        return next(self.parameters()).new_zeros(batch, rows, self.layers.hidden_size)

    def stepper(self) -> StepOfRecurrence:
        """What takes one event further: the state, and what `forward` gives at the event."""
        all_weights = self.layers.all_weights
        if isinstance(self.layers, nn.LSTM):
            return lambda state, hidden: _lstm_step(state, hidden, all_weights)
        cell = torch.gru_cell if isinstance(self.layers, nn.GRU) else torch.rnn_tanh_cell

        def step(state: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            rows = []
            for before, weights in zip(state.unbind(1), all_weights, strict=True):
                hidden = cell(hidden, before, *weights)
                rows.append(hidden)
            return torch.stack(rows, 1), hidden

        return step


class NoRecurrence(nn.Module):
    """What stands where a recurrence could: hidden vectors go through as they are, and nothing is kept."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D), the same."""
        return hidden

    def start(self, batch: int) -> Tensor:
        """A state (B, 0, 1) of nothing."""
        return torch.zeros(batch, 0, 1)

    def stepper(self) -> StepOfRecurrence:
        """What takes one event further: nothing changes."""
        return lambda state, hidden: (state, hidden)


def _lstm_step(state: Tensor, hidden: Tensor, all_weights: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
    rows: list[Tensor] = []
    for layer, weights in enumerate(all_weights):
        hidden, kept = torch.lstm_cell(hidden, (state[:, 2 * layer], state[:, 2 * layer + 1]), *weights)
        rows += [hidden, kept]
    return torch.stack(rows, 1), hidden


def gru(inputs: Tensor, input_weights: Tensor, state_weights: Tensor, input_bias: Tensor, state_bias: Tensor) -> Tensor:
    """The states of one GRU layer, from a state of zeros: the numbers of `torch.nn.GRU`, in three quarters of its time.

    What does not wait for the state before (the products of the inputs, the gates' slopes, the weights' gradients) is
    done for all steps at once, and a step writes into memory that is there already. Under autocast those products are
    in its precision; what goes from step to step is float32 all the same.

    Args:
        inputs: (B, L, D) float32.
        input_weights: (3 R, D), for the reset, the update and the new state, as in `torch.nn.GRU`.
        state_weights: (3 R, R).
        input_bias: (3 R,).
        state_bias: (3 R,).

    Returns:
        (B, L, R) float32.
    """
    inputs = inputs.to(state_weights.dtype)
    precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else inputs.dtype
    with torch.autocast("cpu", enabled=False):
        states: Tensor = _GRU.apply(  # type: ignore[no-untyped-call]
            inputs.transpose(0, 1), input_weights, state_weights, input_bias, state_bias, precision
        )
    return states.transpose(0, 1)


class _GRU(torch.autograd.Function):
    """r, z = sigmoid(x W + h U); n = tanh(x W + r (h U + b)); the next h = n + z (h - n); all (L, B, ..)."""

    @staticmethod
    def forward(
        context: Any,
        inputs: Tensor,
        input_weights: Tensor,
        state_weights: Tensor,
        input_bias: Tensor,
        state_bias: Tensor,
        precision: torch.dtype,
    ) -> Tensor:
        length, batch, size = *inputs.shape[:2], state_weights.shape[1]
        bias = torch.cat([input_bias[: 2 * size] + state_bias[: 2 * size], input_bias[2 * size :]])
        flat = inputs.flatten(0, 1).to(precision)  # (L B, D)
        gates = torch.addmm(bias.to(precision), flat, input_weights.T.to(precision))
        gates = gates.to(bias.dtype).view(length, batch, -1)  # (L, B, 3 R)
        states = gates.new_zeros(length + 1, batch, size)
        fed_back = gates.new_empty(length, batch, size)  # h U + b of the new state
        from_state = gates.new_empty(batch, 3 * size)
        to_gates, to_new = from_state.split((2 * size, size), dim=1)
        gates_of, news = gates.split((2 * size, size), dim=2)
        new_bias, weights = state_bias[2 * size :], state_weights.T.contiguous()
        steps = zip(states[:-1], states[1:], gates_of, news, fed_back, strict=True)
        for state, following, gate, new, fed in steps:
            torch.mm(state, weights, out=from_state)
            gate.add_(to_gates).sigmoid_()
            torch.add(to_new, new_bias, out=fed)
            new.addcmul_(gate[:, :size], fed).mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh, faster than its own function
            torch.lerp(new, state, gate[:, size:], out=following)
        context.save_for_backward(flat, input_weights, state_weights, gates, states, fed_back)
        context.precision = precision
        return states[1:]

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, input_weights, state_weights, gates, states, fed_back = context.saved_tensors
        size, precision, wide = state_weights.shape[1], context.precision, states.dtype
        of_gates = torch.empty_like(gates)  # (L, B, 3 R), the gradient at h U + b
        of_news = torch.empty_like(fed_back)  # (L, B, R), the gradient within tanh
        arriving, passed, slope = states.new_empty(3, *states.shape[1:]).unbind(0)  # (B, R) each
        carried = torch.zeros_like(arriving)
        ways = (gradients[0], states[:-1], fed_back, *gates.split(size, dim=2), *of_gates.split(size, dim=2), of_news)
        steps = list(zip(*(way.unbind(0) for way in ways), of_gates.unbind(0), strict=True))
        for number, step in enumerate(reversed(steps), start=1):
            gradient, state, fed, reset, update, new, of_reset, of_update, of_fed, of_new, of_all = step
            torch.add(gradient, carried, out=arriving)
            torch.mul(arriving, update, out=passed)
            torch.sub(arriving, passed, out=slope)
            torch.mul(slope, new, out=of_new)
            torch.addcmul(slope, of_new, new, value=-1, out=of_new)
            torch.sub(state, new, out=slope).mul_(arriving).mul_(update)
            torch.addcmul(slope, slope, update, value=-1, out=of_update)
            torch.mul(of_new, fed, out=slope).mul_(reset)
            torch.addcmul(slope, slope, reset, value=-1, out=of_reset)
            torch.mul(of_new, reset, out=of_fed)
            torch.addmm(passed, of_all, state_weights, out=carried)
            if number % STEPS_TO_FADE == 0:
                carried = F.hardshrink(carried, FAINT)
        of_all = of_gates.flatten(0, 1).to(precision)  # (L B, 3 R)
        of_gate, of_new = of_all[:, : 2 * size], of_news.flatten(0, 1).to(precision)
        to_gates, to_new = input_weights.to(precision).split((2 * size, size))
        of_bias = of_gates.sum((0, 1))
        return (
            (of_gate @ to_gates).addmm_(of_new, to_new).to(wide).view(*states[1:].shape[:2], -1),
            torch.cat([of_gate.T @ inputs, of_new.T @ inputs]).to(wide),
            (of_all.T @ states[:-1].flatten(0, 1).to(precision)).to(wide),
            torch.cat([of_bias[: 2 * size], of_news.sum((0, 1))]),
            of_bias,
            None,
        )
