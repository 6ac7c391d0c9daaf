"""Settings that suit a log by its sizes, where nobody gives others: what was best on validation for logs like it.

What matters most is how many events an item has. Where there are many, plain products and little dropout learn most;
where there are few, models overfit: they want width with much dropout, and scores that a popular item's length cannot
win (`temperature`). The numbers behind the borders are in docs/research-log.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from gsrec.data.sequences import Sequences

Layer = dict[str, dict[str, object]]
"""Settings by section: `{"model": {...}, "training": {...}}`."""

MANY, FEW = 150.0, 40.0
"""Events an item from which a log is dense, and below which it is sparse."""

ENOUGH = 50_000
"""Events from which a sparse log can teach a wide model anything."""

MANY_ITEMS = 30_000
"""Items from which width costs more than it brings."""


@dataclass(frozen=True)
class LogSizes:
    """How many users, items and events a log has."""

    num_users: int
    num_items: int
    num_interactions: int

    @classmethod
    def of(cls, sequences: Sequences) -> LogSizes:
        """Those of histories."""
        return cls(sequences.num_users, sequences.num_items, sequences.num_interactions)


def suited_layer(sizes: LogSizes) -> Layer:
    """The settings for a log of these sizes that are not the presets' own.

    >>> suited_layer(LogSizes(6_040, 3_416, 999_611))
    {'training': {'averaging': 0.995}}
    >>> suited_layer(LogSizes(22_363, 12_101, 198_502))["model"]["embedding_size"]
    256
    """
    per_item = sizes.num_interactions / sizes.num_items
    if sizes.num_interactions < ENOUGH:
        return {}
    if per_item >= MANY:
        return {"training": {"averaging": 0.995}} if sizes.num_interactions >= 10 * ENOUGH else {}
    if per_item >= FEW:
        return {"model": {"dropout": 0.4}, "training": {"learning_rate": 1e-3, "averaging": 0.99}}
    width = 128 if sizes.num_items > MANY_ITEMS else 256
    length = 50 if sizes.num_interactions / sizes.num_users < 25 else 200
    return {
        "model": {
            "embedding_size": width,
            "recurrent_size": width,
            "max_length": length,
            "dropout": 0.5,
            "temperature": 0.07,
        },
        "training": {"learning_rate": 1e-3, "batch_size": 256, "averaging": 0.98},
    }


def suited_note(sizes: LogSizes) -> tuple[str, ...]:
    """What is told of them, if there are any."""
    layer = suited_layer(sizes)
    told = ", ".join(f"{key}={value}" for section in layer.values() for key, value in section.items())
    return (f"settings that suit a log of these sizes, unless given: {told}",) if told else ()
