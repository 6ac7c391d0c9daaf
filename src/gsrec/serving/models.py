"""The models that are served, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gsrec.data.vocabulary import ItemId
from gsrec.errors import BundleError
from gsrec.experiment.folder import any_bundle
from gsrec.models import num_parameters
from gsrec.recommend.index_files import is_index_of
from gsrec.recommend.recommender import Recommender
from gsrec.serving.errors import ApiError
from gsrec.serving.settings import model_name


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model under its name."""

    name: str
    recommender: Recommender

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `GET /v1/models` tells of it."""
        bundle = self.recommender.bundle
        return {
            "name": self.name,
            "kind": bundle.config.name,
            "num_items": len(bundle.vocabulary),
            "num_parameters": num_parameters(bundle.model),
            "fingerprint": bundle.fingerprint,
            "data": bundle.data.name,
            "metrics": dict(bundle.metrics),
            "filter_seen": bundle.filter_seen,
            "index_recall": None if self.recommender.index is None else self.recommender.index.recall,
        }

    @property
    def sizes_of_index(self) -> tuple[int, int] | None:
        """How far items are compressed, and how many candidates are scored; of the same items it is the same index."""
        index = self.recommender.index
        return None if index is None else (index.half_bytes, index.candidates)

    def check_item(self, item_id: ItemId, where: str, status: int) -> None:
        """Make sure that the model knows an item.

        Raises:
            ApiError: with this status, if not.
        """
        if not self.recommender.bundle.vocabulary.encode([item_id]).any():
            told = f"the model {self.name!r} does not know this item. GET /v1/items finds those it knows."
            raise ApiError(status, "no_item", told, where=where)


@dataclass(frozen=True, eq=False)
class Models:
    """All models of a server; the first is the default."""

    all: tuple[ServedModel, ...]

    def record(self) -> dict[str, Any]:
        """What `GET /v1/models` tells; the first time it reads all weights."""
        return {"models": [model.facts for model in self.all]}

    def find(self, name: str | None, where: str = "body.model") -> ServedModel:
        """The model of this name; without a name, the default.

        Raises:
            ApiError: 404, if there is none.
        """
        if name is None:
            return self.all[0]
        for model in self.all:
            if model.name == name:
                return model
        names = ", ".join(model.name for model in self.all)
        raise ApiError(404, "no_model", f"there is no such model. Those served here: {names}.", where=where)


def load_models(paths: Sequence[Path], indexes: Sequence[Path] = (), before: Models | None = None) -> Models:
    """Read bundles; a model whose weights, items and index are those of `before` stays the very same object.

    Args:
        paths: bundles or run folders.
        indexes: folders that `gsrec index` wrote; each goes to the model it was built for.
        before: what is served so far.

    Raises:
        BundleError: if a bundle or index is missing or damaged, or an index is of none of the models.
        MissingExtraError: if an index needs faiss and it is not installed.
    """
    recommenders = [Recommender(any_bundle(path)) for path in paths]
    for folder in indexes:
        of = [place for place, one in enumerate(recommenders) if is_index_of(one.bundle, folder)]
        if not of:
            raise BundleError(f"{folder} is the index of none of the models served. Build it again: gsrec index.")
        for place in of:
            recommenders[place] = recommenders[place].with_index(folder)
    names = map(model_name, paths)
    models = [ServedModel(name, recommender) for name, recommender in zip(names, recommenders, strict=True)]
    return Models(tuple(_same(model, before) or model for model in models))


def _same(model: ServedModel, before: Models | None) -> ServedModel | None:
    """The model of before that this one is, if there is one."""
    for old in before.all if before else ():
        same_items = old.recommender.bundle.vocabulary.ids.equals(model.recommender.bundle.vocabulary.ids)
        if same_items and old.facts == model.facts and old.sizes_of_index == model.sizes_of_index:
            return old
    return None
