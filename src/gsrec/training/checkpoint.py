"""Checkpoints: the weights of a training at its last and at its best epoch, as safetensors."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save
from torch import nn

from gsrec.files import replacing


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights whole or not at all.

    Raises:
        DataError: if the disk does not take them.
    """
    with replacing(path) as new:  # safetensors' own writing hides what the system says of a full disk
        new.write_bytes(save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))


def load_weights(model: nn.Module, path: Path) -> None:
    """Read the weights of a model of the same shape."""
    model.load_state_dict(load_file(path))
