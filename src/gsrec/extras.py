"""Optional dependencies: which extra brings them, and what is said where one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from gsrec.errors import MissingExtraError

PACKAGES: Mapping[str, tuple[str, str]] = {
    "faiss": ("faiss-cpu", "ann"),
    "huggingface_hub": ("huggingface-hub", "hub"),
    "onnx": ("onnx", "onnx"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "onnxscript": ("onnxscript", "onnx"),
    "redis": ("redis", "redis"),
    "jinja2": ("jinja2", "report"),
    "matplotlib": ("matplotlib", "report"),
    "fastapi": ("fastapi", "serve"),
    "prometheus_client": ("prometheus-client", "serve"),
    "uvicorn": ("uvicorn", "serve"),
    "optuna": ("optuna", "tune"),
}
"""The package and the extra of every module that not every installation has."""

OF_SERVER = tuple(module for module, (_, extra) in PACKAGES.items() if extra == "serve")
"""What a server needs."""


def installed(*modules: str) -> bool:
    """Whether all these modules are installed; none is imported."""
    return all(find_spec(module) for module in modules)


def check_installed(*modules: str) -> None:
    """Make sure that all these modules are installed, before anything else is done.

    Raises:
        MissingExtraError: if one is not; it names the extra.
    """
    for module in modules:
        if not installed(module):
            raise MissingExtraError(*PACKAGES[module])


def needed(module: str) -> Any:
    """An optional module, imported.

    Raises:
        MissingExtraError: if it is not installed.
    """
    check_installed(module)
    return import_module(module)
