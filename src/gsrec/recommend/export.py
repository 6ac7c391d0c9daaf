"""A model as ONNX graphs (extra `onnx`), to be served where there is no PyTorch.

Legend: B batch, L length, D hidden, R recurrent size, V items, W window.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from gsrec import __version__
from gsrec.bundle import Bundle
from gsrec.errors import ConfigError
from gsrec.extras import check_installed
from gsrec.files import checksum, replacing, write_text
from gsrec.models import CountingScorer, Model
from gsrec.models.attention import Window
from gsrec.models.protocols import SequenceEncoder, State, StreamingEncoder
from gsrec.models.recurrence import Recurrence
from gsrec.models.scores import scores_of
from gsrec.places import check_own
from gsrec.recommend.onnx_runtime import EXPORT_FACTS, IDS, SCORES, STEP, Graph, OnnxFacts, Port

MAX_BYTES = 2**31 - 1
"""What one ONNX file can hold."""

EXAMPLE_BATCH, EXAMPLE_LENGTH, FEWEST = 3, 8, 3
"""Sizes that the exporter looks at; one below `FEWEST` it would take for the only one there is."""

GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}
"""Which of PyTorch's gates comes at each place of ONNX's."""

LOGGERS = ("torch.__trace", "torch.onnx", "torch.export", "onnxscript", "onnx_ir")


def export_bundle(bundle: Bundle, folder: Path) -> OnnxFacts:
    """Write a model as ONNX: `scores.onnx`, `step.onnx` if it streams, `vocabulary.json`, and `model.json` last.

    Raises:
        MissingExtraError: if onnx or onnxscript is not installed.
        ConfigError: if the weights are more than an ONNX file can hold, or ONNX cannot express the model, or the folder
            has other files.
        NotFittedError: if the model was never trained.
        DataError: if the disk does not take it.
    """
    check_installed("onnx", "onnxscript")
    check_own(folder, (SCORES, STEP, IDS, EXPORT_FACTS))
    size = sum(tensor.nbytes for tensor in bundle.model.state_dict().values())
    if size > MAX_BYTES:
        raise ConfigError(
            f"the weights take {size:,} bytes, and an ONNX file holds {MAX_BYTES:,}: train a smaller model"
        )
    if isinstance(bundle.model, CountingScorer):
        bundle.model.score(torch.ones(1, 1, dtype=torch.int64))  # tells if it has not counted yet
    return _write(bundle, _graphs(bundle.model), folder)


def _graphs(model: Model) -> dict[str, Any]:
    """The graphs of a model (onnx.ModelProto), by the names of their files."""
    try:
        with _quiet(), torch.inference_mode(False), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            graphs = {SCORES: _scores_graph(model)}
            if isinstance(model, StreamingEncoder):
                graphs[STEP] = _step_graph(model)
    except RuntimeError as error:  # such as a branch that depends on what is in a tensor
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).partition("\n")[0]
        if "alloc" in reason:  # it is the memory that ran out
            raise
        raise ConfigError(f"ONNX cannot express {type(model).__name__}: {reason}. All but ONNX does without") from error
    return graphs


def _write(bundle: Bundle, graphs: dict[str, Any], folder: Path) -> OnnxFacts:
    """Write graphs (onnx.ModelProto by name); the facts come last, and do not fit to anything half-written."""
    contents = {name: graph.SerializeToString() for name, graph in graphs.items()}
    contents[IDS] = json.dumps(bundle.vocabulary.ids.to_list(), ensure_ascii=False).encode()
    told = {name: _facts_of(name, graph) for name, graph in graphs.items()}
    facts = OnnxFacts(
        version=__version__,
        model=bundle.config.name,
        fingerprint=bundle.fingerprint,
        num_items=len(bundle.vocabulary),
        max_length=bundle.model.max_length,
        max_events=bundle.model.max_events if isinstance(bundle.model, StreamingEncoder) else None,
        scores=told[SCORES],
        step=told.get(STEP),
        checksums={name: checksum(content) for name, content in contents.items()},
    )
    for name, content in contents.items():
        with replacing(folder / name) as new:
            new.write_bytes(content)
    write_text(folder / EXPORT_FACTS, facts.model_dump_json(indent=2) + "\n")
    if STEP not in graphs:
        (folder / STEP).unlink(missing_ok=True)  # of a model that was here before
    return facts


class _Scores(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, items: Tensor) -> Tensor:
        return self.model.score(items)


class _Step(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, events: Tensor, items: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        assert isinstance(self.model, StreamingEncoder)
        assert isinstance(self.model, SequenceEncoder)
        state, hidden = self.model.stepper()(State(events, parts), items)
        return scores_of(self.model, hidden), *state.parts


class _OnnxRecurrence(nn.Module):
    """A `Recurrence` as ONNX's own operator: what PyTorch has would be unrolled to one length."""

    def __init__(self, layers: nn.GRU | nn.LSTM | nn.RNN) -> None:
        super().__init__()
        self.operator, self.size = type(layers).__name__, layers.hidden_size
        self.attributes: dict[str, Any] = {"hidden_size": self.size} | (
            {"linear_before_reset": 1} if self.operator == "GRU" else {}
        )
        self.weights = nn.ModuleList(_Weights(self.operator, *weights) for weights in layers.all_weights)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, R)."""
        hidden = hidden.transpose(0, 1)
        for weights in self.weights:
            shape = (hidden.shape[0], 1, hidden.shape[1], self.size)  # (L, 1 direction, B, R)
            given = [hidden, *weights.buffers()]
            hidden = torch.onnx.ops.symbolic(
                self.operator, given, self.attributes, dtype=torch.float32, shape=shape, version=14
            ).squeeze(1)
        return hidden.transpose(0, 1)


class _Weights(nn.Module):
    """Of one layer, in ONNX's order and with a first dimension for directions."""

    def __init__(self, operator: str, to_gates: Tensor, fed_back: Tensor, bias: Tensor, fed_back_bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("to_gates", _in_order(to_gates, operator)[None])
        self.register_buffer("fed_back", _in_order(fed_back, operator)[None])
        biases = torch.cat([_in_order(bias, operator), _in_order(fed_back_bias, operator)])
        self.register_buffer("bias", biases[None])


def _in_order(weights: Tensor, operator: str) -> Tensor:
    order = GATES[operator]
    gates = weights.detach().chunk(len(order))
    return torch.cat([gates[place] for place in order])


def _exportable(model: Model) -> Model:
    """A copy whose recurrences have an ONNX form."""
    model = copy.deepcopy(model).eval()
    for module in list(model.modules()):
        for name, part in module.named_children():
            if isinstance(part, Recurrence):
                setattr(module, name, _OnnxRecurrence(part.layers))
    return model


def _scores_graph(model: Model) -> Any:
    multiple, length, example = _lengths(model)
    sizes = {0: torch.export.Dim("batch")} | ({} if length is None else {1: length})
    items = torch.ones(EXAMPLE_BATCH, example, dtype=torch.int64)
    exported = torch.export.export(_Scores(_exportable(model)), (items,), dynamic_shapes={"items": sizes})
    name = "items" if multiple == 1 else "whole_items"
    names = {0: "batch", 1: "length" if multiple == 1 else "whole_length"}
    graph = _converted(exported, [name], ["scores"], {"items": {place: names[place] for place in sizes}})
    return graph if multiple == 1 else _padding_first(graph, multiple)


def _lengths(model: Model) -> tuple[int, Any, int]:
    """What lengths are padded to a multiple of, the length for the exporter (None: fixed), and an example of it.

    Attention to a window works in whole windows, and the exporter takes a length that is 1 or 2 at most for fixed.
    """
    windows = math.lcm(*(module.size for module in model.modules() if isinstance(module, Window)))
    if windows > 1:
        return windows, windows * torch.export.Dim("windows"), FEWEST * windows
    most = None if isinstance(model, CountingScorer) else model.max_length
    if most is not None and most < FEWEST:
        return most, None, most
    return 1, torch.export.Dim("length", max=most), min(most or EXAMPLE_LENGTH, EXAMPLE_LENGTH)


def _step_graph(model: Model) -> Any:
    assert isinstance(model, StreamingEncoder)
    state = model.start(EXAMPLE_BATCH)
    assert not any(bool(part.any()) for part in state.parts), "the runtime begins with zeros"
    given = (state.events, torch.ones(EXAMPLE_BATCH, dtype=torch.int64), *state.parts)
    batch = {0: torch.export.Dim("batch")}
    sizes = {"events": batch, "items": batch, "parts": tuple(batch for _ in state.parts)}
    exported = torch.export.export(_Step(copy.deepcopy(model).eval()), given, dynamic_shapes=sizes)
    parts = [f"part{place}" for place in range(len(state.parts))]
    named = {"events": {0: "batch"}, "items": {0: "batch"}, "parts": tuple({0: "batch"} for _ in parts)}
    return _converted(exported, ["events", "items", *parts], ["scores", *(f"next_{part}" for part in parts)], named)


def _converted(exported: Any, inputs: list[str], outputs: list[str], sizes: dict[str, Any]) -> Any:
    program = torch.onnx.export(
        exported, dynamo=True, verbose=False, input_names=inputs, output_names=outputs, dynamic_shapes=sizes
    )
    assert program is not None
    return program.model_proto


def _padding_first(graph: Any, multiple: int) -> Any:
    """A graph that takes any length, for one that takes multiples: padding is put behind, which changes nothing."""
    compose, parser = import_module("onnx.compose"), import_module("onnx.parser")
    first = parser.parse_model(f"""
        <ir_version: {graph.ir_version}, opset_import: ["" : {graph.opset_import[0].version}]>
        padding (int64[batch, length] items) => (int64[batch, whole_length] padded_items) {{
            padding_length = Shape <start = 1, end = 2> (items)
            padding_negative = Neg(padding_length)
            padding_multiple = Constant <value = int64[1] {{{multiple}}}> ()
            padding_missing = Mod(padding_negative, padding_multiple)
            padding_elsewhere = Constant <value = int64[3] {{0, 0, 0}}> ()
            padding_all = Concat <axis = 0> (padding_elsewhere, padding_missing)
            padded_items = Pad(items, padding_all)
        }}""")
    return compose.merge_models(first, graph, io_map=[("padded_items", "whole_items")])


def _facts_of(name: str, graph: Any) -> Graph:
    inputs, outputs = (tuple(map(_port, ports)) for ports in (graph.graph.input, graph.graph.output))
    return Graph(file=name, inputs=inputs, outputs=outputs)  # type: ignore[arg-type]


def _port(value: Any) -> Port:
    told = value.type.tensor_type
    shape = tuple(size.dim_param or size.dim_value for size in told.shape.dim)
    return Port(name=value.name, type="int64" if told.elem_type == 7 else "float32", shape=shape)  # 7: onnx's INT64


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say of their own parts that will change and of packages nobody needs."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
