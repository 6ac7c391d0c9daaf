import re
from pathlib import Path

import pytest

from gsrec.data.columns import Columns, find_roles
from gsrec.data.readers import read_log
from gsrec.errors import DataError


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["user_id", "item_id", "timestamp"], ("user_id", "item_id", "timestamp")),
        (["userId", "movieId", "rating", "timestamp"], ("userId", "movieId", "timestamp")),
        (["reviewerID", "asin", "reviewTime", "unixReviewTime"], ("reviewerID", "asin", "unixReviewTime")),
        (["user_id", "asin", "parent_asin", "ts"], ("user_id", "parent_asin", "ts")),
        (["Session Id", "Item-Id", "Date"], ("Session Id", "Item-Id", "Date")),
        (["customer_id", "product_id", "created_at"], ("customer_id", "product_id", "created_at")),
        (["uid", "track_id", "position"], ("uid", "track_id", "position")),
        (["session_id", "user_id", "item"], ("user_id", "item", None)),
        (["position", "time", "item", "user"], ("user", "item", "time")),
        (["User", "user", "item"], ("User", "item", None)),
    ],
)
def test_usual_names_are_guessed(names: list[str], expected: tuple[str, str, str | None]) -> None:
    roles = find_roles(Columns(), names, "log.csv")
    assert (roles.user, roles.item, roles.time) == expected


def test_named_columns_win_and_are_not_told_as_guesses() -> None:
    roles = find_roles(Columns(user="who", item="what"), ["user", "who", "what", "time"], "log.csv")
    assert (roles.user, roles.item, roles.time) == ("who", "what", "time")
    assert roles.notes == ("columns guessed: time 'time'",)
    assert find_roles(Columns("who", "what", "time"), ["who", "what", "time"], "log.csv").notes == ()


def test_a_log_without_time_is_told() -> None:
    roles = find_roles(Columns(), ["user", "item"], "log.csv")
    assert roles.columns == ["user", "item"]
    assert roles.notes[-1] == "no time column: the order of the file is taken as the order in time"


@pytest.mark.parametrize("name", ["order-date", "sold_at", "soldAt", "Zeitstempel_ts", "saletime"])
def test_a_column_that_may_be_the_time_is_named(name: str) -> None:
    told = find_roles(Columns(), ["user", "item", "cat", "points", name], "log.csv").notes[-1]
    if name == "order-date":
        assert told == "columns guessed: user 'user', item 'item', time 'order-date'"
    else:
        assert told.endswith(f"in time; if {name!r} is the time, name it with --time-column")


def test_a_named_column_that_is_missing_names_what_is_there() -> None:
    with pytest.raises(DataError, match=re.escape("log.csv: no column 'when' for the time; it has 'user', 'item'")):
        find_roles(Columns(time="when"), ["user", "item"], "log.csv")


def test_a_column_that_cannot_be_guessed_names_what_is_there() -> None:
    with pytest.raises(
        DataError, match=r"log\.csv: none of its columns looks like the item: 'user', 'thing'\. Name it"
    ):
        find_roles(Columns(), ["user", "thing"], "log.csv")


def test_the_finer_time_is_taken_and_the_other_told() -> None:
    roles = find_roles(Columns(), ["user_id", "item_id", "date", "event_time"], "log.csv")
    assert roles.time == "event_time"
    assert roles.notes[1:] == ("column 'date' is not used: the time is 'event_time'",)


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,item_id,time\na,1,2,3\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"two columns are called 'item_id'\. Give one of them another name"):
        read_log(tmp_path / "log.csv")


def test_one_column_cannot_be_two_things() -> None:
    with pytest.raises(DataError, match="must be different columns"):
        find_roles(Columns(user="item", item="item"), ["user", "item"], "log.csv")
    with pytest.raises(DataError, match="none of its other columns looks like the item: 'user'"):
        find_roles(Columns(user="item"), ["user", "item"], "log.csv")


def test_no_column_is_guessed_that_is_named_for_something_else() -> None:
    assert find_roles(Columns(item="order"), ["user", "order"], "log.csv").columns == ["user", "order"]
    assert find_roles(Columns(user="item_id"), ["item_id", "product"], "log.csv").columns == ["item_id", "product"]
