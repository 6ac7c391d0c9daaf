"""The table of contents of a bundle: what is in it, where it comes from, and what every file must add up to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from gsrec.data.splits import Split
from gsrec.description import Description, first_problem
from gsrec.errors import BundleError
from gsrec.files import checksum
from gsrec.models import ModelConfig

MANIFEST = "manifest.json"
WEIGHTS, POPULARITY, VOCABULARY = "weights.safetensors", "popularity.safetensors", "vocabulary.json"
CONTENTS = (WEIGHTS, POPULARITY, VOCABULARY)
"""The files of a bundle besides its manifest."""

FORMAT: Literal[4] = 4


class DataFacts(Description):
    """Which data a model learned from: its name, its SHA-256 fingerprint, its sizes, its newest event, its cuts.

    Attributes:
        until: Unix seconds of the newest event, held-out ones included; of a split by time, of the newest to train on.
            None where the log has no clock times.
        cuts: SHA-256 of how its histories were cut; None where an earlier version told none.
    """

    name: str
    fingerprint: str
    num_users: int
    num_items: int
    num_interactions: int
    until: int | None = None
    cuts: str | None = None

    @classmethod
    def of(cls, split: Split) -> DataFacts:
        """The facts of these histories, cut like this."""
        sequences = split.sequences
        return cls(
            name=sequences.name,
            fingerprint=sequences.fingerprint,
            num_users=sequences.num_users,
            num_items=sequences.num_items,
            num_interactions=sequences.num_interactions,
            until=split.known_until(),
            cuts=split.cuts,
        )


class Manifest(Description):
    """The table of contents of a bundle.

    Attributes:
        format: of the bundle; a version of GSRec knows one.
        version: of the GSRec that wrote it.
        model: what builds the model.
        data: what it learned from.
        settings: of the whole run, as its run folder has them; of these `filter_seen` counts where the model is used.
        metrics: how it was judged on validation.
        licence: under what terms its data came, if that is known.
        checksums: SHA-256 of every other file, by name.
        digest: SHA-256 of all of the above.
    """

    format: Literal[4] = FORMAT
    version: str
    model: Annotated[ModelConfig, Field(discriminator="name")]
    data: DataFacts
    settings: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    licence: str | None = None
    checksums: dict[str, str]
    digest: str = ""

    def signed(self) -> Manifest:
        """The same with its digest."""
        return self.model_copy(update={"digest": digest_of(self.model_dump(mode="json"))})

    def check(self, where: Path, files: Mapping[str, bytes]) -> None:
        """Make sure that nothing was changed since it was saved.

        Args:
            where: the bundle.
            files: the contents of its files by name, that of the manifest itself included.

        Raises:
            BundleError: if the manifest or one of the files is not what was saved.
        """
        try:
            intact = self.digest == digest_of(json.loads(files[MANIFEST]))
        except (ValueError, RecursionError):  # of what could be read, but never was written
            intact = False
        if not intact:
            raise BundleError(f"{where}: {MANIFEST} does not match its checksum. Train or copy it again.")
        for name in CONTENTS:
            content = files.get(name)
            if content is None or checksum(content) != self.checksums.get(name):
                raise BundleError(f"{where}: {name} is missing or does not match its checksum. Train or copy it again.")


def read_manifest(where: Path, content: bytes) -> Manifest:
    """The manifest out of the bytes of its file, `where` being the bundle.

    Raises:
        BundleError: if they are damaged, or of a format that this version does not know.
    """
    try:
        told = json.loads(content)
        known = told.get("format") if isinstance(told, dict) else None
        if isinstance(known, int) and known != FORMAT:
            remedy = "Install a newer gsrec" if known > FORMAT else "Train it again, or load it with an older gsrec"
            raise BundleError(f"{where} is of format {known}, and this version knows format {FORMAT}. {remedy}.")
        return Manifest.model_validate(told)
    except (ValidationError, ValueError, RecursionError) as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else error
        raise BundleError(f"{where}: {MANIFEST} is damaged: {reason}. Train or copy it again.") from error


def digest_of(told: Mapping[str, Any]) -> str:
    """The digest of what a manifest says, as JSON: what a newer version adds to it when it reads does not count."""
    content = {key: value for key, value in told.items() if key != "digest"}
    return checksum(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())
