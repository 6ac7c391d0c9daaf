"""Checkpoints: the weights of a training at its last and at its best epoch, as safetensors."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_model, save_model
from torch import nn

from gsrec.files import replacing


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights whole or not at all."""
    with replacing(path) as new:
        save_model(model, str(new))


def load_weights(model: nn.Module, path: Path) -> None:
    """Read the weights of a model of the same shape."""
    load_model(model, str(path))
