"""Answers in the form that the API promises, as bytes.

Legend: K recommendations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from gsrec.data.vocabulary import ItemId
from gsrec.recommend.explain import Explanation
from gsrec.recommend.recommendation import Recommendation
from gsrec.serving.models import ServedModel
from gsrec.serving.store import StoredSession
from gsrec.serving.titles import Titles


def as_json(content: dict[str, Any]) -> Response:
    """An answer whose content needs no further check."""
    return Response(to_json(content), media_type="application/json")


def named_items(item_ids: Sequence[ItemId], titles: Titles) -> list[dict[str, Any]]:
    """Items with their titles."""
    return [{"item_id": item_id, "title": titles.get(item_id)} for item_id in item_ids]


def answer(model: ServedModel, found: Recommendation, titles: Titles) -> dict[str, Any]:
    """What comes next, K items with their scores."""
    items = [
        {"item_id": item_id, "title": titles.get(item_id), "score": score}
        for item_id, score in zip(found.items, found.scores, strict=True)
    ]
    return {"model": model.name, "items": items, "source": found.source, "num_unknown": found.num_unknown}


def session_state(session_id: str, stored: StoredSession, titles: Titles) -> dict[str, Any]:
    """A session as it is kept."""
    items = named_items(stored.item_ids, titles)
    return {"session_id": session_id, "items": items, "num_events": len(items), "updated": stored.updated}


def explanation(model: ServedModel, found: Explanation, titles: Titles) -> dict[str, Any]:
    """Why an item has its score."""
    events = [
        {"place": event.place, "item_id": event.item_id, "title": titles.get(event.item_id), "change": event.change}
        for event in found.events
    ]
    return {
        "model": model.name,
        "item_id": found.item_id,
        "title": titles.get(found.item_id),
        "score": found.score,
        "events": events,
        "num_unknown": found.num_unknown,
        "attention": found.attention,
        "recurrence": found.recurrence,
    }
