"""What is saved of a trained model: a folder, or one file, of safetensors and JSON that can run no code."""

from __future__ import annotations

from gsrec.bundle.bundle import (
    BUNDLE_FOLDER,
    CHECKPOINTS_FOLDER,
    RUN_FILE,
    Bundle,
    bundle_place,
    load_bundle,
    save_bundle,
    unfinished,
)
from gsrec.bundle.manifest import MANIFEST, POPULARITY, VOCABULARY, WEIGHTS, DataFacts, Manifest
from gsrec.bundle.storage import SUFFIX, check_place

__all__ = [
    "BUNDLE_FOLDER",
    "CHECKPOINTS_FOLDER",
    "MANIFEST",
    "POPULARITY",
    "RUN_FILE",
    "SUFFIX",
    "VOCABULARY",
    "WEIGHTS",
    "Bundle",
    "DataFacts",
    "Manifest",
    "bundle_place",
    "check_place",
    "load_bundle",
    "save_bundle",
    "unfinished",
]
