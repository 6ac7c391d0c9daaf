"""A model in its ONNX form (extra `onnx`): whole histories at once, or one user's events one by one.

Legend: B batch, L length, V items.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from gsrec.description import Description, first_problem
from gsrec.errors import BundleError, ConfigError
from gsrec.extras import needed
from gsrec.files import checksum

EXPORT_FACTS, SCORES, STEP, IDS = "model.json", "scores.onnx", "step.onnx", "vocabulary.json"
"""The files of an export: what it is, two graphs, and the item id at place p for the item index p + 1."""

Rule = Literal["right, with 0"]


class Port(Description):
    """What goes into a graph or comes out of it; a name in its shape stands for any size."""

    name: str
    type: Literal["int64", "float32"]
    shape: tuple[int | str, ...]


class Graph(Description):
    """One of the graphs: its file, and all that goes in and out, in this order."""

    file: Literal["scores.onnx", "step.onnx"]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class OnnxFacts(Description):
    """What an export is.

    Attributes:
        format: of the export; a version of GSRec knows one.
        version: of the GSRec that wrote it.
        model: the model's name.
        fingerprint: of the bundle it was made from.
        num_items: V; column 0 of the scores means nothing.
        padding: how histories become rows of one length.
        max_length: how many of the newest events may be given to `scores.onnx`; None: any number.
        max_events: how many events `step.onnx` can take; None: any number.
        scores: the graph of whole histories.
        step: the graph that takes one more event, if the model streams: the inputs after `events` (how many there
            were before, 0 at first) and `items` are the state, zeros at first; the outputs after `scores` are the next.
        checksums: SHA-256 of every other file, by name.
    """

    format: Literal[1] = 1
    version: str
    model: str
    fingerprint: str
    num_items: int
    padding: Rule = "right, with 0"
    max_length: int | None
    max_events: int | None
    scores: Graph
    step: Graph | None
    checksums: dict[str, str]


def read_facts(folder: Path) -> OnnxFacts:
    """What the export in a folder is.

    Raises:
        BundleError: if there is none, or it is damaged.
    """
    try:
        return OnnxFacts.model_validate_json((folder / EXPORT_FACTS).read_bytes())
    except OSError as error:
        raise BundleError(f"{folder} holds no exported model: {EXPORT_FACTS} cannot be read ({error})") from error
    except ValidationError as error:
        raise BundleError(f"{folder / EXPORT_FACTS} is damaged: {first_problem(error)}. Export it again.") from error


class OnnxScorer:
    """Scores whole histories, as the model did that was exported."""

    def __init__(self, folder: Path) -> None:
        """Open the export in a folder.

        Raises:
            MissingExtraError: if onnxruntime is not installed.
            BundleError: if the export is missing, damaged or changed.
        """
        self.facts = read_facts(folder)
        self.num_items = self.facts.num_items
        self.max_length = self.facts.max_length
        self._session = _open(folder, self.facts, self.facts.scores)

    def score(self, items: Tensor) -> Tensor:
        """Scores (B, V + 1) float32 of what follows the histories (B, L) int64, L from 1 to `max_length`."""
        return torch.from_numpy(self._session.run(None, {"items": items.numpy()})[0])


class OnnxStream:
    """Takes one user's events one by one, at a cost that does not grow with their number."""

    def __init__(self, folder: Path) -> None:
        """Open the export in a folder, before the first event.

        Raises:
            MissingExtraError: if onnxruntime is not installed.
            BundleError: if the export is missing, damaged or changed.
            ConfigError: if its model does not stream.
        """
        self.facts = read_facts(folder)
        if self.facts.step is None:
            raise ConfigError(f"{self.facts.model} does not stream: there is no {STEP}. Use OnnxScorer.")
        self._ports = self.facts.step.inputs[2:]
        self._session = _open(folder, self.facts, self.facts.step)
        self.start()

    def start(self) -> None:
        """Begin anew, without events."""
        self.num_events = 0
        shapes = ([1, *map(int, port.shape[1:])] for port in self._ports)
        self._parts = [np.zeros(shape, np.float32) for shape in shapes]

    def step(self, item: int) -> Tensor:
        """Take in one more event; gives the scores (1, V + 1) float32 of what comes next.

        Raises:
            ConfigError: if the item is none of the model's, or the state is full.
        """
        if not 1 <= item <= self.facts.num_items:
            raise ConfigError(f"items are 1 to {self.facts.num_items:,}, found {item}. Leave out what is unknown.")
        if self.num_events == self.facts.max_events:
            raise ConfigError(
                f"{self.facts.model} takes {self.num_events} events one by one, and they are there. "
                "Give the newest ones to OnnxScorer."
            )
        given = {"events": np.array([self.num_events]), "items": np.array([item])}
        state = {port.name: part for port, part in zip(self._ports, self._parts, strict=True)}
        scores, *self._parts = self._session.run(None, given | state)
        self.num_events += 1
        return torch.from_numpy(scores)


def _open(folder: Path, facts: OnnxFacts, graph: Graph) -> Any:
    """An onnxruntime session for a graph, which has been checked before anything reads it."""
    onnxruntime = needed("onnxruntime")
    path = folder / graph.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error}). Export it again.") from error
    if checksum(content) != facts.checksums.get(graph.file):
        raise BundleError(f"{path} does not match its checksum. Export it again.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
