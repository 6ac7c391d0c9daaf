"""How a model is used, which is how it was trained: what of a log counts, and what may be recommended."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from gsrec.data.log import InteractionLog
from gsrec.description import Count, Description, first_problem
from gsrec.errors import BundleError


class Usage(Description):
    """What holds for a log that a model learns from and for every log that it is used on.

    Histories and events that are sent to it are taken as they come, but for `filter_seen`.

    Attributes:
        filter_seen: whether items of a user's history are no candidates; false is for logs in which items are taken
            again.
        drop_repeats: whether an item taken several times in a row counts once.
        drop_duplicates: whether events with user, item and time of another are left out; it needs times.
        max_user_interactions: users with more events, such as programs, are left out; none: nobody is.
    """

    filter_seen: bool = True
    drop_repeats: bool = False
    drop_duplicates: bool = False
    max_user_interactions: Count | None = None

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Usage:
        """What the settings of a run say of it.

        Raises:
            BundleError: if it is not what such settings can be.
        """
        data = settings.get("data")
        given = {key: data[key] for key in Usage.model_fields if key in data} if isinstance(data, Mapping) else {}
        try:
            return Usage.model_validate(given)
        except ValidationError as error:
            raise BundleError(f"this model's settings of its data cannot be read: {first_problem(error)}") from error

    def cleaned(self, log: InteractionLog) -> InteractionLog:
        """The events of a log without repeats, duplicates and users that are no people, as far as these do not count.

        Other users and items stay, however few events they have: for them a model is used, if not trained.

        Raises:
            DataError: if nothing is left.
        """
        return log.filtered(
            max_user_interactions=self.max_user_interactions,
            drop_repeats=self.drop_repeats,
            drop_duplicates=self.drop_duplicates,
        )
