"""A trained model with all that using it needs: what its item indices stand for, and where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gsrec import __version__
from gsrec.bundle.manifest import (
    CONTENTS,
    MANIFEST,
    POPULARITY,
    VOCABULARY,
    WEIGHTS,
    DataFacts,
    Manifest,
    read_manifest,
)
from gsrec.bundle.storage import is_there, read_files, write_files
from gsrec.bundle.usage import Usage
from gsrec.data.log import InteractionLog
from gsrec.data.splits import Split
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import BundleError, GSRecError
from gsrec.files import checksum
from gsrec.models import Model, ModelConfig, build_model
from gsrec.models.protocols import SequenceEncoder, Step, StreamingEncoder

BUNDLE_FOLDER = "bundle"
"""Where the folder of a run has its bundle."""

CHECKPOINTS_FOLDER = "checkpoints"
"""Where the folder of a run keeps its training as long as it goes on."""

RUN_FILE = "run.json"
"""What is in the folder of a run that is done."""

COUNTS = "counts"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that can be used.

    Attributes:
        model: with its weights.
        config: what builds it.
        vocabulary: what its item indices stand for.
        data: what it learned from.
        counts: (V + 1,) int64, how often every item was taken in training: what is recommended without a history.
        settings: of the whole run.
        metrics: how it was judged on validation.
        licence: under what terms its data came, if that is known.
    """

    model: Model
    config: ModelConfig
    vocabulary: Vocabulary
    data: DataFacts
    counts: Tensor
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    licence: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and of the items' ids: what a session's state belongs to."""
        digest = hashlib.sha256(_ids_written(self.vocabulary))
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def usage(self) -> Usage:
        """What holds for logs and histories that the model is used on, because it held in training.

        Raises:
            BundleError: if its settings do not tell.
        """
        return Usage.of(self.settings)

    @property
    def filter_seen(self) -> bool:
        """Whether items of the history are no candidates, if nobody asks otherwise: it is used as it was judged."""
        return self.usage.filter_seen

    def filters_seen(self, asked: bool | None) -> bool:
        """Whether items of the history are no candidates, as somebody asks for it; None: as the model was judged."""
        return self.filter_seen if asked is None else asked

    def known_events(self, log: InteractionLog) -> InteractionLog:
        """A log's events that count, as they did in training, of items that the model knows; `notes` say what went.

        Raises:
            DataError: if nothing is left.
        """
        return self.usage.cleaned(log).known_items(self.vocabulary)

    @cached_property
    def item_lengths(self) -> Tensor | None:
        """(V + 1,), how long the item vectors are, at least 1e-12, as padding's is zero; None: there are none."""
        if not isinstance(self.model, SequenceEncoder):
            return None
        lengths: Tensor = self.model.item_weights.detach().norm(dim=1)
        return lengths.clamp_min(1e-12)

    @cached_property
    def step(self) -> Step | None:
        """What takes events further, of a model that streams."""
        return self.model.stepper() if isinstance(self.model, StreamingEncoder) else None

    @classmethod
    def of(
        cls,
        model: Model,
        config: ModelConfig,
        split: Split,
        *,
        settings: Mapping[str, Any] = MappingProxyType({}),
        metrics: Mapping[str, float] = MappingProxyType({}),
        licence: str | None = None,
    ) -> Bundle:
        """A model that was trained on a split."""
        counts = torch.from_numpy(split.train_counts())
        vocabulary = split.sequences.vocabulary
        return cls(model, config, vocabulary, DataFacts.of(split), counts, settings, metrics, licence)


def bundle_place(path: Path) -> Path:
    """Where the bundle of a run folder is; any other path is the bundle's own.

    Raises:
        BundleError: if the run is not done.
    """
    is_run = is_there(path / BUNDLE_FOLDER)
    if (is_run or (path / CHECKPOINTS_FOLDER).is_dir()) and not (path / RUN_FILE).exists():
        raise BundleError(unfinished(path))
    return path / BUNDLE_FOLDER if is_run else path


def unfinished(run: Path) -> str:
    """What is told of the folder of a run that is not done."""
    return f"{run} holds a training that was not finished. Resume it with `gsrec train ... --resume`."


def save_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle: as one file where the path ends with `.gsrec`, else as a folder; whole or not at all.

    Raises:
        DataError: if the disk does not take it.
    """
    files = {
        WEIGHTS: save({name: tensor.contiguous() for name, tensor in bundle.model.state_dict().items()}),
        POPULARITY: save({COUNTS: bundle.counts}),
        VOCABULARY: _ids_written(bundle.vocabulary),
    }
    manifest = Manifest(
        version=__version__,
        model=bundle.config,
        data=bundle.data,
        settings=dict(bundle.settings),
        metrics=dict(bundle.metrics),
        licence=bundle.licence,
        checksums={name: checksum(files[name]) for name in CONTENTS},
    ).signed()
    write_files(path, files | {MANIFEST: (manifest.model_dump_json(indent=2) + "\n").encode()})


def _ids_written(vocabulary: Vocabulary) -> bytes:
    return json.dumps(vocabulary.ids.to_list(), ensure_ascii=False).encode()


def load_bundle(path: Path) -> Bundle:
    """Read a bundle that `save_bundle` wrote, a folder or a file.

    Raises:
        BundleError: if it is missing, unfinished, damaged, changed, or of a format this version does not know.
    """
    files = read_files(path)
    manifest = read_manifest(path, files[MANIFEST])
    manifest.check(path, files)
    try:
        Usage.of(manifest.settings)  # what cannot be used is better known now
        vocabulary = Vocabulary.of(json.loads(files[VOCABULARY]))
        model = _with_weights(manifest.model, len(vocabulary), load(files[WEIGHTS]))
        counts = load(files[POPULARITY])[COUNTS]
        if counts.shape != (len(vocabulary) + 1,) or counts.dtype != torch.int64:
            raise BundleError(f"{POPULARITY} has counts {counts.dtype} of shape {tuple(counts.shape)}")
    except (GSRecError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError, RecursionError) as error:
        raise _unfitting(path, error) from error
    model.eval()
    told = (manifest.settings, manifest.metrics, manifest.licence)
    return Bundle(model, manifest.model, vocabulary, manifest.data, counts, *told)


def _with_weights(config: ModelConfig, num_items: int, weights: Mapping[str, Tensor]) -> Model:
    """The model that has these weights; sizes that they do not fit take no memory.

    Raises:
        RuntimeError: if they are of a model of other sizes or another kind.
        BundleError: if they are not all numbers.
    """
    with torch.device("meta"), _Undrawn():
        model = build_model(config, num_items=num_items)
    kinds = {name: one.dtype for name, one in model.state_dict().items()}
    model.load_state_dict({name: one.clone() for name, one in weights.items()}, assign=True)
    for name, one in weights.items():
        if one.dtype != kinds[name]:
            raise BundleError(f"the weights {name} are {one.dtype}, not {kinds[name]}")
        if not one.isfinite().all():
            raise BundleError(f"the weights {name} are not all numbers")
    return model


class _Undrawn(TorchFunctionMode):
    """No weights are drawn that others replace: without memory that means nothing, and loads PyTorch's compiler."""

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Take one operation."""
        kwargs = kwargs or {}
        draws = function in (Tensor.normal_, Tensor.uniform_) or getattr(function, "__module__", "") == nn.init.__name__
        return next(iter((*args, *kwargs.values()))) if draws else function(*args, **kwargs)


def _unfitting(path: Path, error: Exception) -> BundleError:
    reason = " ".join(str(error).split("\n")[:2])  # torch names every weight, a line each
    return BundleError(f"{path} does not fit together: {reason}. Train or copy it again.")
