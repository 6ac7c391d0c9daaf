from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gsrec.data.build import log_from_table
from gsrec.data.netflix import read_netflix
from gsrec.errors import DataError

Writer = Callable[[str, str | bytes], Path]


def test_movies_go_down_to_their_ratings(write: Writer) -> None:
    first = write("combined_data_1.txt", "1:\n30,3,2005-09-06\n31,5,2005-05-13\n2:\n30,4,2005-01-01\n\n")
    second = write("combined_data_2.txt", "3:\n4:\n31,1,2005-05-13\n")
    table = read_netflix([first, second])
    assert table.columns() == ["user_id", "item_id", "date"]
    log = log_from_table(table, name="netflix")
    days = {"2005-01-01": 1104537600, "2005-09-06": 1125964800, "2005-05-13": 1115942400}
    assert log.frame.rows() == [
        (30, 2, days["2005-01-01"]),
        (30, 1, days["2005-09-06"]),
        (31, 1, days["2005-05-13"]),
        (31, 4, days["2005-05-13"]),
    ]
    assert log.time_kind == "clock"
    assert log.frame.schema["user_id"] == pl.Int64


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("30,3,2005-09-06\n", 1),
        ("1:\n30,3,2005-09-06\n30,3\n", 3),
        ("1:\n30,3,06.09.2005\n", 2),
        ("1:\nann,3,2005-09-06\n", 2),
        ("1:\n,3,2005-09-06\n", 2),
        ("1:\n\none:\n30,3,2005-09-06\n", 4),
    ],
)
def test_a_line_that_is_neither_movie_nor_rating_is_named(text: str, line: int, write: Writer) -> None:
    with pytest.raises(DataError, match=rf"mv_1\.txt: line {line} is not user,rating,date"):
        read_netflix([write("mv_1.txt", text)])


def test_a_line_with_too_much_is_an_error(write: Writer) -> None:
    with pytest.raises(DataError, match=r"mv_1\.txt: cannot be read as its extension says: "):
        read_netflix([write("mv_1.txt", "1:\n30,3,2005-09-06,9\n")])
