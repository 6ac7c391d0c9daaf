"""Which column holds the user, the item and the time: named by the caller or guessed from the usual names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gsrec.errors import DataError

USER_NAMES = (
    "userid",
    "user",
    "uid",
    "reviewerid",
    "customerid",
    "visitorid",
    "memberid",
    "accountid",
    "playerid",
    "listenerid",
    "readerid",
    "sessionid",
    "session",
)
ITEM_NAMES = (
    "itemid",
    "item",
    "iid",
    "movieid",
    "movie",
    "parentasin",
    "asin",
    "productid",
    "product",
    "sku",
    "trackid",
    "songid",
    "artistid",
    "bookid",
    "isbn",
    "articleid",
    "newsid",
    "videoid",
    "gameid",
    "appid",
    "businessid",
)
POSITION_NAMES = ("position", "pos", "order", "rank", "index", "step")
TIME_NAMES = (
    "timestamp",
    "time",
    "ts",
    "unixreviewtime",
    "unixtime",
    "datetime",
    "eventtimestamp",
    "eventtime",
    "createdat",
    "ratingtime",
    "date",
    "eventdate",
    "eventts",
    "timestamputc",
    "occurredat",
    "orderdate",
    "ordertime",
    "purchasedate",
    "purchasetime",
    "purchasedat",
    "transactiondate",
    "transactiontime",
    "clicktime",
    "visitdate",
    "viewedat",
    "watchedat",
    "playedat",
    *POSITION_NAMES,
)

TIME_LIKE = re.compile(r"(?i:date|time|stamp|[ _.-](?:at|ts|on))$|(?<=[a-z])(?:At|Ts)$")
"""How names end that may be of a time."""

TITLE_NAMES = (
    "title",
    "name",
    "itemtitle",
    "itemname",
    "movietitle",
    "producttitle",
    "productname",
    "tracktitle",
    "trackname",
    "songtitle",
    "songname",
    "artistname",
    "booktitle",
    "gametitle",
    "gamename",
    "headline",
)

SECOND = re.compile(r"_duplicated_\d+'$")
"""How the name of a column ends, in quotes, to which Polars added that another one has it already."""

STRENGTH_NAMES = ("rating", "ratings", "score", "stars", "overall")
"""Columns that say how much somebody liked an item, which is nothing to us."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read; None means: guess from the usual names.

    Attributes:
        user: the column of user ids.
        item: the column of item ids.
        time: the column of times or positions.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Roles:
    """The columns found: a user and an item, and a time where there is one."""

    user: str
    item: str
    time: str | None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The names of the columns to read."""
        return [name for name in (self.user, self.item, self.time) if name is not None]


def plain(name: str) -> str:
    """A column name without case, blanks and joints, so that spellings compare equal.

    >>> plain("User_ID"), plain("userId"), plain(" user id")
    ('userid', 'userid', 'userid')
    """
    return name.lower().translate(str.maketrans("", "", " _-."))


def find_roles(columns: Columns, names: Sequence[str], where: str) -> Roles:
    """Match the wanted columns with the names that are there.

    >>> find_roles(Columns(), ["userId", "movieId", "timestamp"], "ratings.csv").notes
    ("columns guessed: user 'userId', item 'movieId', time 'timestamp'",)

    Args:
        columns: the caller's choice.
        names: the columns that are there.
        where: the file or frame, for messages.

    Raises:
        DataError: if a column is not there, or there twice, or is asked to be two things.
    """
    asked = (columns.user, columns.item, columns.time)
    free = [name for name in names if name not in asked]
    user = _named("user", columns.user, names, where) or _required("user", USER_NAMES, free, names, where)
    item = _named("item", columns.item, names, where) or _required("item", ITEM_NAMES, free, names, where)
    time = _named("time", columns.time, names, where) or _guessed(TIME_NAMES, free)
    if len({user, item, time}) < 3:
        raise DataError(f"{where}: user {user!r}, item {item!r} and time {time!r} must be different columns")
    for name in (user, item, time):
        if f"{name}_duplicated_0" in names:
            raise DataError(f"{where}: two columns are called {name!r}. Give one of them another name.")
    return Roles(user, item, time, _notes(columns, names, user, item, time))


def find_titles(names: Sequence[str], where: str) -> tuple[str, str]:
    """The columns of a table of titles: an item's id, and what the item is called.

    >>> find_titles(["movieId", "title", "genres"], "movies.csv")
    ('movieId', 'title')

    Raises:
        DataError: if there is no such column.
    """
    item, title = _guessed(ITEM_NAMES, names), _guessed(TITLE_NAMES, names)
    if item is None or title is None:
        found = ", ".join(map(repr, names))
        raise DataError(f"{where}: titles need the columns item_id and title, found {found}. Name two of them so.")
    return item, title


def is_header(names: Sequence[str]) -> bool:
    """Whether these are names of columns: one is a usual name of the user's, and another one of the item's.

    >>> is_header(["user_id", "item_id", "timestamp"]), is_header(["ann", "i3", "i7"])
    (True, False)
    """
    return _guessed(USER_NAMES, names) is not None and _guessed(ITEM_NAMES, names) is not None


def _required(role: str, usual: Sequence[str], free: Sequence[str], names: Sequence[str], where: str) -> str:
    found = _guessed(usual, free)
    if found is None:
        shown = ", ".join(SECOND.sub("'", repr(name)) for name in free)
        other = "" if len(free) == len(names) else "other "
        raise DataError(
            f"{where}: none of its {other}columns looks like the {role}: {shown}. "
            f"Name it with --{role}-column or Columns({role}=...); the first line must hold the column names."
        )
    return found


def _named(role: str, name: str | None, names: Sequence[str], where: str) -> str | None:
    if name is not None and name not in names:
        raise DataError(
            f"{where}: no column {name!r} for the {role}; it has {', '.join(map(repr, names))}. "
            f"Name it with --{role}-column or Columns({role}=...)."
        )
    return name


def _guessed(usual: Sequence[str], names: Sequence[str]) -> str | None:
    by_plain_name = {plain(str(name)): name for name in reversed(names)}
    return next((by_plain_name[name] for name in usual if name in by_plain_name), None)


def _notes(columns: Columns, names: Sequence[str], user: str, item: str, time: str | None) -> tuple[str, ...]:
    found = {"user": user, "item": item, "time": time}
    asked = {"user": columns.user, "item": columns.item, "time": columns.time}
    guesses = [f"{role} {name!r}" for role, name in found.items() if name is not None and asked[role] is None]
    unused = [str(name) for name in names if plain(str(name)) in STRENGTH_NAMES and name not in found.values()]
    left_out = [f"column {name!r} is not used: every row counts as taken" for name in unused[:1]]
    times = {plain(str(name)): str(name) for name in names if plain(str(name)) in TIME_NAMES}
    others = [name for name in times.values() if time is not None and asked["time"] is None and name != time]
    left_out += [f"column {name!r} is not used: the time is {time!r}" for name in others[:1]]
    perhaps = [name for name in map(str, names) if time is None and TIME_LIKE.search(name)]
    named = f"; if {perhaps[0]!r} is the time, name it with --time-column" if perhaps else ""
    untimed = () if time else (f"no time column: the order of the file is taken as the order in time{named}",)
    return ((f"columns guessed: {', '.join(guesses)}",) if guesses else ()) + tuple(left_out) + untimed
