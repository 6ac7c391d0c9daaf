"""What a bundle holds, told without building the model or running anything."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gsrec.bundle.manifest import CONTENTS, MANIFEST, WEIGHTS, Manifest, read_manifest
from gsrec.bundle.storage import facts_of, read_files
from gsrec.errors import BundleError


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a bundle holds.

    Attributes:
        manifest: its table of contents.
        sizes: bytes of every file.
        shapes: of every tensor of the weights.
        fault: why it would be refused; None: it is as it was saved.
    """

    manifest: Manifest
    sizes: dict[str, int]
    shapes: dict[str, list[int]]
    fault: str | None

    @property
    def num_parameters(self) -> int:
        """How many numbers the weights are."""
        return sum(map(math.prod, self.shapes.values()))

    def record(self) -> dict[str, Any]:
        """The inspection as JSON."""
        told = json.loads(self.manifest.model_dump_json())
        sizes = {"sizes": self.sizes, "shapes": self.shapes, "num_parameters": self.num_parameters}
        return {**told, **sizes, "intact": self.fault is None, "fault": self.fault}


def inspect_bundle(path: Path) -> Inspection:
    """Look into a bundle, a folder or a file; damage is told, not raised, as long as the manifest can be read.

    Raises:
        BundleError: if it is missing, or its manifest cannot be read.
    """
    files = read_files(path)
    manifest = read_manifest(path, files[MANIFEST])
    fault = None
    try:
        manifest.check(path, files)
    except BundleError as error:
        fault = str(error)
    try:
        shapes = facts_of(files.get(WEIGHTS, b""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        shapes, fault = {}, fault or f"{path}: {WEIGHTS} has no header that can be read"
    return Inspection(manifest, {name: len(files[name]) for name in CONTENTS if name in files}, shapes, fault)
