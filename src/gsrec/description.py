"""What is written down and read again: configurations, manifests, facts of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=1)]
"""How many there are, or may be at most or must be at least."""


class Description(BaseModel):
    """A description says and never acts: it cannot be changed, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def first_problem(error: ValidationError) -> str:
    """What is wrong first with the content of a file: where, and what."""
    problem = error.errors()[0]
    return ": ".join(part for part in (".".join(map(str, problem["loc"])), problem["msg"]) if part)


def differences(before: object, now: object, where: str) -> Iterator[str]:
    """What is not the same in two JSON values, by where it stands: first a name, last what is made of more.

    >>> list(differences({"dropout": 0.1, "name": "gsrec"}, {"dropout": 0.2, "name": "sasrec"}, "model"))
    ["model.name was 'gsrec' and is now 'sasrec'", 'model.dropout was 0.1 and is now 0.2']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}, key=lambda key: (key != "name", isinstance(now.get(key), dict), key)):
            yield from differences(before.get(key), now.get(key), f"{where}.{key}" if where else key)
    elif before != now:
        yield f"{where} was {before!r} and is now {now!r}"
