"""Checkpoints: the weights of the best epoch, and the whole state of a training, to resume from bit for bit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gsrec.description import differences
from gsrec.errors import TrainingError
from gsrec.files import checksum, replacing, write_json

KEPT = 2
"""States that are kept: where the newest is damaged, the one before it is resumed from."""

BEST_WEIGHTS = "best.safetensors"
"""The weights of the best epoch so far, beside the states, which hold them as well: for whoever wants no more."""

STATE_NAME = re.compile(r"state-(\d+)\.json")

Json = dict[str, Any]


def save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write weights whole or not at all.

    Raises:
        DataError: if the disk does not take them.
    """
    with replacing(path) as new:  # safetensors' own writing hides what the system says of a full disk
        new.write_bytes(save({name: tensor.contiguous() for name, tensor in weights.items()}))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a training is made of at one moment.

    Attributes:
        tensors: weights, those of the best epoch, optimizers, averages and generators.
        facts: everything else, as JSON.
    """

    tensors: Mapping[str, Tensor]
    facts: Json


def save_state(state: Snapshot, folder: Path, *, identity: Json) -> None:
    """Write a state, and remove all but the newest ones.

    Args:
        state: of the training.
        folder: of the checkpoints.
        identity: what must be the same to resume it: configuration, data.

    Raises:
        DataError: if the disk does not take it; the states that were there stay.
    """
    states = [number for number, _ in _states(folder)]
    path = _path(folder, max(states, default=0) + 1)
    content = save({name: tensor.contiguous() for name, tensor in state.tensors.items()})
    with replacing(path) as new:
        new.write_bytes(content)  # as long as it has no JSON beside it, it is no state
    facts = {"identity": identity, "facts": state.facts, "sha256": checksum(content)}
    write_json(path.with_suffix(".json"), facts)
    for number in sorted(states)[: max(0, len(states) + 1 - KEPT)]:
        _remove(_path(folder, number))


def load_state(
    folder: Path, *, identity: Json, as_now: Callable[[Any], Any] = lambda identity: identity
) -> tuple[Snapshot | None, tuple[str, ...]]:
    """The newest state that is whole; damaged ones behind it are removed.

    Args:
        folder: of the checkpoints.
        identity: what must be the same as when it was written.
        as_now: makes of the identity that was written the one that would be written now.

    Returns:
        The state, None if there is none, and what is to be told of damaged ones.

    Raises:
        TrainingError: if it is of another configuration or of other data; the message names what differs.
    """
    notes: list[str] = []
    damaged: list[Path] = []
    for _, path in sorted(_states(folder), reverse=True):
        try:
            told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            content = path.read_bytes()
            if checksum(content) != told["sha256"]:
                raise ValueError("it is not what was written")
            state = Snapshot(load(content), told["facts"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
            notes.append(
                f"the checkpoint {path} is damaged ({error}): resuming from the one before it, if there is one"
            )
            damaged.append(path)
            continue
        found = [*differences(as_now(told.get("identity")), json.loads(json.dumps(identity)), "")]
        if found:
            more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
            raise TrainingError(
                f"{folder} is of another training: {'; '.join(found[:3])}{more}. Resume it with what it was begun "
                "with, or start over in another folder."
            )
        break
    else:
        state = None
    for path in damaged:
        _remove(path)
    return state, tuple(notes)


def kept_identity(folder: Path) -> Any:
    """Of which training the newest state is, as `save_state` was told; None where there is none that can be read."""
    for _, path in sorted(_states(folder), reverse=True):
        with suppress(OSError, ValueError, RecursionError, AttributeError):
            return json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).get("identity")
    return None


def clear_checkpoints(folder: Path) -> None:
    """Remove all states and weights: the training is done, and what came of it lies elsewhere."""
    for _, path in _states(folder):
        _remove(path)
    (folder / BEST_WEIGHTS).unlink(missing_ok=True)
    with suppress(OSError):  # it is not empty: something there is not ours
        folder.rmdir()


def _path(folder: Path, number: int) -> Path:
    return folder / f"state-{number:06d}.safetensors"


def _states(folder: Path) -> list[tuple[int, Path]]:
    """The states there are, by number; one is there as soon as its JSON is."""
    found = [(STATE_NAME.fullmatch(path.name), path) for path in folder.glob("state-*.json")]
    return [(int(name[1]), path.with_suffix(".safetensors")) for name, path in found if name]


def _remove(path: Path) -> None:
    path.with_suffix(".json").unlink(missing_ok=True)  # first: without it there is no state
    path.unlink(missing_ok=True)
