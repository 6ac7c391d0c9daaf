"""What decides a run: data, model, training."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from gsrec.bundle.usage import Usage
from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Part, Split, at_moments, global_temporal, last_n, leave_one_out
from gsrec.description import Count, Description
from gsrec.errors import ConfigError
from gsrec.evaluation.evaluator import Protocol
from gsrec.models import ModelConfig
from gsrec.training.config import TrainingConfig

Layer = dict[str, dict[str, object]]
"""Some settings, by section: `{"model": {...}, "training": {...}}`."""


class DataConfig(Usage):
    """Which events count, how they are split, and what is a candidate.

    Attributes:
        min_user_interactions: users with fewer events are left out (the thesis: 3).
        min_item_interactions: items with fewer events are left out.
        k_core: whether both are repeated until nothing more falls out.
        split: `leave-one-out` (the thesis), `last-n`, `temporal`, which cuts where 80% and 90% of the events were, or
            `at-moments`, which cuts at those given, as a refresh does.
        held_out: of `last-n`, events a user in each of validation and test.
        training_until, validation_until: of `at-moments`, Unix seconds.

    The others are those of `Usage`: they hold wherever the model is used as well.
    """

    min_user_interactions: Count = 3
    min_item_interactions: Count = 1
    k_core: bool = False
    split: Literal["leave-one-out", "last-n", "temporal", "at-moments"] = "leave-one-out"
    held_out: Count = 1
    training_until: int | None = None
    validation_until: int | None = None

    @model_validator(mode="after")
    def _check_moments(self) -> DataConfig:
        if self.split != "at-moments":
            return self
        if self.training_until is None or self.validation_until is None:
            raise ValueError("the split at-moments needs training_until and validation_until, in Unix seconds")
        if self.training_until >= self.validation_until:
            told = f"found {self.training_until} and {self.validation_until}"
            raise ValueError(f"training_until must be before validation_until, {told}")
        return self

    def filtered(self, log: InteractionLog) -> InteractionLog:
        """The events of a log that count.

        Raises:
            DataError: if nothing is left.
        """
        return log.filtered(
            min_user_interactions=self.min_user_interactions,
            min_item_interactions=self.min_item_interactions,
            max_user_interactions=self.max_user_interactions,
            k_core=self.k_core,
            drop_repeats=self.drop_repeats,
            drop_duplicates=self.drop_duplicates,
        )

    def protocol(self, part: Part, *, candidates: str = "full") -> Protocol:
        """How targets are judged.

        Raises:
            ConfigError: if there are no such candidates.
        """
        return Protocol(part, candidates, filter_seen=self.filter_seen)

    def cut(self, sequences: Sequences) -> Split:
        """Cut histories into train, validation and test.

        Raises:
            DataError: if the cut leaves one of them empty.
        """
        match self.split:
            case "leave-one-out":
                return leave_one_out(sequences)
            case "last-n":
                return last_n(sequences, self.held_out)
            case "temporal":
                return global_temporal(sequences)
            case "at-moments":
                assert self.training_until is not None
                assert self.validation_until is not None
                return at_moments(sequences, self.training_until, self.validation_until)


class RunConfig(Description):
    """All that decides a run besides the log itself; of a model that only counts, training decides nothing."""

    data: DataConfig = DataConfig()
    model: Annotated[ModelConfig, Field(discriminator="name")]
    training: TrainingConfig = TrainingConfig()
    preset: str = "default"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    @model_validator(mode="after")
    def _train_what_learns(self) -> RunConfig:
        if not learns(self.model.name):
            object.__setattr__(self, "training", TrainingConfig())  # nothing of it has an effect
        return self

    @model_validator(mode="after")
    def _check_together(self) -> RunConfig:
        objective, model = self.training.objective, self.model
        if (objective == "masked-item") != (model.name == "bert4rec"):
            raise ValueError(
                "training.objective: bert4rec, which sees both sides of an item, is trained with masked-item, and no "
                f"other model is; found {objective!r} for {model.name}"
            )
        if self.training.popularity_prior and objective != "next-item":
            raise ValueError(
                "training.popularity_prior: it is the share of what follows other events, so it is for the next-item "
                f"objective only; found {objective!r}"
            )
        size, num_heads = getattr(model, "embedding_size", 0), getattr(model, "num_heads", 1)
        if size % num_heads:
            raise ValueError(f"embedding_size must be a multiple of num_heads, found {size} and {num_heads}")
        return self

    @property
    def label(self) -> str:
        """What the run is called in tables: the model, and its preset where it is not the default one."""
        return self.model.name if self.preset == "default" else f"{self.model.name}:{self.preset}"


def as_now(recorded: Any) -> Any:
    """A recorded configuration as this version records it: settings that are newer stand at their defaults.

    What this version cannot read stays as it is.
    """
    try:
        return RunConfig.model_validate(recorded).model_dump(mode="json")
    except ValidationError:
        return recorded


def learns(model: str) -> bool:
    """Whether a model of this name learns in steps: all but PopRec, which only counts."""
    return model != "poprec"


def check_learns(model: str, what: str) -> None:
    """Make sure that there is something to plan or to tune.

    Raises:
        ConfigError: if the model only counts.
    """
    if not learns(model):
        raise ConfigError(f"{model} only counts: there is nothing to {what}. Name another model with --model.")
