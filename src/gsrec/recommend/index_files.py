"""Indexes on disk: which model they were built for is checked before anything of them is believed.

Legend: V items, D hidden.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.description import Description, first_problem
from gsrec.errors import BundleError
from gsrec.extras import needed
from gsrec.files import checksum, replacing, write_text
from gsrec.recommend.index import ItemIndex, searched

INDEX_FILES = INDEX_FACTS, CODES = "index.json", "codes.faiss"


class IndexFacts(Description):
    """What a saved index is.

    Attributes:
        format: of the index; a version of GSRec knows one.
        model: the fingerprint of the bundle it was built for.
        codes: SHA-256 of the compressed items; None: the index is exact.
        half_bytes: an item was compressed to.
        candidates: items that are scored exactly.
        recall: of the 10 best, measured when it was built.
    """

    format: Literal[2] = 2
    model: str
    codes: str | None
    half_bytes: int
    candidates: int
    recall: float


def save_index(index: ItemIndex, folder: Path, model: str) -> None:
    """Write an index without the item weights, which belong to the model of this fingerprint.

    Raises:
        DataError: if the disk does not take it.
    """
    content = None if index.codes is None else needed("faiss").serialize_index(index.codes).tobytes()
    facts = IndexFacts(
        model=model,
        codes=None if content is None else checksum(content),
        half_bytes=index.half_bytes,
        candidates=index.candidates,
        recall=index.recall,
    )
    if content is not None:
        with replacing(folder / CODES) as new:
            new.write_bytes(content)
    write_text(folder / INDEX_FACTS, facts.model_dump_json(indent=2) + "\n")


def load_index(folder: Path, weights: Tensor, bias: Tensor | None, model: str) -> ItemIndex:
    """Read an index that `save_index` wrote.

    Args:
        folder: where it is.
        weights: (V + 1, D) float32, of the items.
        bias: (V + 1,) float32, or None.
        model: the fingerprint of the bundle that they are of.

    Raises:
        BundleError: if it is missing, damaged, changed or of another model.
        MissingExtraError: if faiss is not installed.
    """
    facts = _read_facts(folder)
    if facts.model != model:
        raise BundleError(f"{folder} is the index of another model than this one. Build it again.")
    if facts.codes is None:
        return ItemIndex(weights.detach(), None if bias is None else bias.detach(), recall=facts.recall)
    try:
        content = (folder / CODES).read_bytes()
    except OSError as error:
        raise BundleError(f"{folder / CODES} cannot be read ({error}). Build it again.") from error
    if checksum(content) != facts.codes:
        raise BundleError(f"{folder / CODES} does not match its checksum. Build it again.")
    codes = needed("faiss").deserialize_index(np.frombuffer(content, dtype=np.uint8))
    sizes = facts.half_bytes, facts.candidates, facts.recall
    return ItemIndex(weights.detach(), None if bias is None else bias.detach(), codes, *sizes)


def load_index_of(bundle: Bundle, folder: Path) -> ItemIndex:
    """Read the index of a model's items; raises as `load_index`, and a ConfigError if the model can have none."""
    model = searched(bundle.model)
    return load_index(folder, model.item_weights, model.item_bias, bundle.fingerprint)


def is_index_of(bundle: Bundle, folder: Path) -> bool:
    """Whether the index in a folder was built for this model.

    Raises:
        BundleError: if there is no index, or it is damaged.
    """
    return _read_facts(folder).model == bundle.fingerprint


def _read_facts(folder: Path) -> IndexFacts:
    try:
        return IndexFacts.model_validate_json((folder / INDEX_FACTS).read_bytes())
    except OSError as error:
        raise BundleError(f"{folder} holds no index: {error}. Build it again.") from error
    except ValidationError as error:
        raise BundleError(f"{folder / INDEX_FACTS} is damaged: {first_problem(error)}. Build it again.") from error
