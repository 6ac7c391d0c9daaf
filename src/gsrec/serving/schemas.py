"""What requests and answers look like, with examples for the API's description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.json_schema import SkipJsonSchema

from gsrec.recommend.rules import GREATEST_BOOST, LEAST_BOOST

MAX_HISTORY = 2_000
"""The most events of a history in one request."""

MAX_EXPLAINED = 200
"""The most events of a history that is explained: every event is left out once."""

MAX_EVENTS = 100
"""The most events that come to a session in one request."""

MAX_ID = 256
"""The most characters of an item's, a user's or a model's name."""

MAX_K = 100
MAX_IDS = 10_000
MAX_LIMIT = 100

SESSION_ID = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
"""What a session's id may be, chosen by the caller."""

ItemIdValue = (
    Annotated[StrictInt, Field(ge=-(2**63), le=2**63 - 1)]
    | Annotated[StrictStr, Field(min_length=1, max_length=MAX_ID)]
)
Ids = Annotated[list[ItemIdValue], Field(max_length=MAX_IDS)]
K = Annotated[int, Field(ge=1, le=MAX_K, strict=True, description="How many items.")]
ModelName = Annotated[
    StrictStr | None, Field(max_length=MAX_ID, description="Which model; none: the default, the first that is served.")
]


class Value(BaseModel):
    """A part of a request that knows no other keys."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Boost(Value):
    """By what the chance of an item is multiplied."""

    item_id: ItemIdValue
    factor: Annotated[float, Field(ge=LEAST_BOOST, le=GREATEST_BOOST, strict=True)]


class Wishes(Value):
    """How many items are wanted, and which may come."""

    k: K = 10
    model: ModelName = None
    exclude: Annotated[Ids, Field(description="Items to leave out.")] = []
    only: Annotated[Ids | None, Field(description="The items to choose from; none: all.")] = None
    boosts: Annotated[
        list[Boost],
        Field(max_length=1_000, description="Items to prefer, or to hold back; of two of an item the later one holds."),
    ] = []
    filter_seen: Annotated[
        StrictBool | None, Field(description="Leave out the items of the history; none: as the model was judged.")
    ] = None


class RecommendRequest(Wishes):
    """A history, to be answered with what comes next."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"history": [1, 2, 3], "k": 5}, {"history": [1], "boosts": [{"item_id": 2, "factor": 1.5}]}]
        }
    )

    history: Annotated[list[ItemIdValue], Field(max_length=MAX_HISTORY, description="Item ids, oldest first.")]


class EventsRequest(Wishes):
    """One event of a session, or several, oldest first: either `item_id` or `item_ids`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["item_id"]}, {"required": ["item_ids"]}],
            "examples": [{"item_id": 1, "k": 5}, {"item_ids": [1, 2], "exclude": [3]}],
        }
    )

    item_id: ItemIdValue | SkipJsonSchema[None] = None
    item_ids: Annotated[list[ItemIdValue], Field(min_length=1, max_length=MAX_EVENTS)] | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _either(self) -> EventsRequest:
        given = [getattr(self, name) for name in ("item_id", "item_ids") if name in self.model_fields_set]
        if len(given) != 1 or given[0] is None:
            raise ValueError("give either item_id or item_ids, not both and not null")
        return self

    @property
    def events(self) -> list[int | str]:
        """The items, oldest first."""
        return [self.item_id] if self.item_id is not None else self.item_ids or []


class ExplainRequest(Value):
    """An item, to be explained after a history."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"history": [1, 2, 3], "item_id": 4}, {"history": [1, 2, 3]}]}
    )

    history: Annotated[list[ItemIdValue], Field(min_length=1, max_length=MAX_EXPLAINED)]
    item_id: Annotated[ItemIdValue | None, Field(description="None: the one that is recommended first.")] = None
    model: ModelName = None


class Item(BaseModel):
    """An item by its id, with its title where one is known."""

    item_id: int | str
    title: str | None


class ScoredItem(Item):
    """An item with its score: higher is better."""

    score: float


class Answer(BaseModel):
    """What comes next, best first."""

    model: str
    items: list[ScoredItem]
    source: Annotated[
        Literal["model", "popularity"], Field(description="`popularity` where the model knows no event of the history.")
    ]
    num_unknown: Annotated[int, Field(description="Events that the model does not know, left out.")]


class SessionAnswer(Answer):
    """What comes next in a session."""

    session_id: str
    num_events: Annotated[int, Field(description="All events of the session, unknown ones included.")]


class SessionState(BaseModel):
    """A session as it is kept."""

    session_id: str
    items: list[Item]
    num_events: int
    updated: Annotated[
        float,
        Field(description="Unix seconds of its newest event, to a thousandth of the time that sessions are kept."),
    ]


class Items(BaseModel):
    """Items that were looked for."""

    items: list[Item]


class Share(Item):
    """What one past event does for an item: by how much the score is higher with it."""

    place: int
    change: float


class ExplainAnswer(Item):
    """Why an item has its score."""

    model: str
    score: float
    events: list[Share]
    num_unknown: int = Field(description="Events that the model does not know, left out.")
    attention: float | None
    recurrence: float | None


class ModelFacts(BaseModel):
    """A model that is served."""

    name: str
    kind: str
    num_items: int
    num_parameters: int
    fingerprint: str
    data: str
    metrics: dict[str, float]
    filter_seen: bool = Field(description="Whether items of the history are left out, if a request does not say.")
    index_recall: float | None = Field(description="Share of the 10 best items that its index finds; null: all, exact.")


class ModelList(BaseModel):
    """All models that are served; the first is the default."""

    models: list[ModelFacts]


class Users(BaseModel):
    """Some users of the log."""

    users: list[int | str]


class UserHistory(BaseModel):
    """What a user of the log took: all but the last, and the last."""

    user_id: int | str
    history: list[Item]
    target: Item


class Status(BaseModel):
    """How the server is."""

    status: str


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str
    message: str
    where: str | None


class ErrorAnswer(BaseModel):
    """Every error has this format."""

    error: ErrorDetail


ERRORS: dict[int, str] = {
    400: "The body cannot be read.",
    401: "No key, or a wrong one.",
    403: "This needs an admin key, or comes from another site.",
    404: "There is no such thing here.",
    405: "The path does not take this method.",
    408: "The body did not come in time.",
    413: "The body is over the limit of 256 KiB.",
    415: "The body is not application/json.",
    422: "A value is invalid.",
    429: "Too many requests; Retry-After says how many seconds to wait.",
    503: "Not now; Retry-After says when, where the same request may do.",
}
ALWAYS = (400, 401, 403, 405, 408, 413, 415, 422, 429, 503)
"""What every question can be answered with: a body may come with any."""


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """How a route that reads its body itself describes it; the parts of the body's model are described by others."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def answers(model: type[BaseModel] | None, *also: int, status: int = 200) -> dict[int | str, Any]:
    """The `responses` of a route: its answer, and every error it can give."""
    refused: dict[int | str, Any] = {
        code: {"model": ErrorAnswer, "description": ERRORS[code]} for code in sorted({*ALWAYS, *also})
    }
    return {status: {"model": model} if model else {"description": "Done."}, **refused}
