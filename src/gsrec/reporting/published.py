"""What others published, to stand beside what was measured here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from gsrec.description import Description, first_problem
from gsrec.errors import DataError
from gsrec.reporting.comparison import Comparison
from gsrec.reporting.phrases import list_in_words
from gsrec.reporting.results import Metrics


class Published(Description):
    """What somebody else's model came to, on the test part.

    Attributes:
        data: our name of the log.
        split: how it was cut, as results call it.
        candidates: what targets were ranked among, as in a protocol.
        source: where it stands.
    """

    model: str
    data: str
    split: str = "leave-one-out"
    candidates: str = "full"
    metrics: Metrics
    source: str

    @property
    def label(self) -> str:
        """What its row is called."""
        return f"{self.model}, published"

    def is_of(self, comparison: Comparison) -> bool:
        """Whether it can stand beside a comparison."""
        protocol = (comparison.data.name, comparison.split, comparison.protocol.candidates)
        return comparison.protocol.part == "test" and protocol == (self.data, self.split, self.candidates)


class _PublishedFile(Description):
    published: tuple[Published, ...]


def read_published(file: Path) -> tuple[Published, ...]:
    """What is in a TOML file of `[[published]]` entries.

    Raises:
        DataError: if it cannot be read, or an entry lacks something or has something unknown.
    """
    try:
        return _PublishedFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).published
    except ValidationError as error:
        raise DataError(f"{file}: {first_problem(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file}: {error}") from error


def published_beside(comparison: Comparison, published: Iterable[Published]) -> tuple[Published, ...]:
    """What of it is of the same log, split and candidates."""
    return tuple(one for one in published if one.is_of(comparison))


def sources_told(published: Sequence[Published]) -> tuple[str, ...]:
    """Where the numbers stand, in a sentence; none where there are none."""
    if not published:
        return ()
    sources = dict.fromkeys(one.source for one in published)
    of_source = {
        source: list_in_words(list(dict.fromkeys(one.model for one in published if one.source == source)))
        for source in sources
    }
    told = "; ".join(f"{models} from {source}" for source, models in of_source.items())
    return (
        f"Published by others for the same log, split and candidates: {told}. Their protocols "
        "may differ in what is not told here, such as the order of ties.",
    )
