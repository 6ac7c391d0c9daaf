from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data.ids import LARGEST_EXACT, MISSING, read_ids
from gsrec.errors import DataError

TEXTS = st.text(min_size=1).filter(lambda text: text not in MISSING and not text.endswith(".0"))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_stay_integers(ids: list[int]) -> None:
    found, notes = read_ids(pl.Series("item", ids, dtype=pl.Int64), "log")
    assert (found.dtype.is_integer(), found.to_list(), notes) == (True, ids, ())


@given(st.lists(TEXTS, min_size=1), st.booleans())
def test_strings_stay_strings(ids: list[str], text: bool) -> None:
    found, notes = read_ids(pl.Series("item", ids), "log", text=text)
    assert (found.to_list(), notes if any(one != one.strip() for one in ids) else ()) == (ids, notes)


def test_ids_with_blanks_around_them_are_told() -> None:
    found, notes = read_ids(pl.Series("user", ["ann", "ann ", " bob", " bob"]), "log")
    assert found.to_list() == ["ann", "ann ", " bob", " bob"]
    assert notes == ("column 'user': ids that begin or end with a blank, which is a part of them: 2",)


def test_whole_decimals_become_int64() -> None:
    whole = pl.Series("user", [Decimal(12), Decimal(13)], dtype=pl.Decimal(28, 2))
    assert read_ids(whole, "log")[0].to_list() == [12, 13]
    for other in ("12.5", "99999999999999999999"):
        with pytest.raises(DataError, match="an id must be an integer or a string"):
            read_ids(pl.Series("user", [Decimal(other)], dtype=pl.Decimal(28, 1)), "log")


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt16, pl.UInt64, pl.Float32, pl.Float64])
def test_every_kind_of_whole_number_becomes_int64(dtype: type[pl.DataType]) -> None:
    assert read_ids(pl.Series("item", [1, 2], dtype=dtype), "log")[0].dtype == pl.Int64


@pytest.mark.parametrize("dtype", [pl.Categorical(), pl.Enum(["a", "b"])])
def test_categories_become_strings(dtype: pl.DataType) -> None:
    assert read_ids(pl.Series("item", ["a", "b"], dtype=dtype), "log")[0].to_list() == ["a", "b"]


def test_whole_floats_become_integers_and_are_told() -> None:
    told = ("column 'item': whole numbers written as floats were read as integers",)
    found, notes = read_ids(pl.Series("item", [1.0, -7.0]), "log")
    assert (found.to_list(), notes) == ([1, -7], told)
    found, notes = read_ids(pl.Series("item", ["1.0", "-7.0"]), "log.csv", text=True)
    assert (found.to_list(), notes) == ([1, -7], told)


@pytest.mark.parametrize("ids", [["1.0", "x.0"], ["1.0", "2"], ["01.0", "2.0"], ["1.5", "2.0"]])
def test_text_that_only_resembles_floats_is_kept(ids: list[str]) -> None:
    assert read_ids(pl.Series("item", ids), "log.csv", text=True)[0].to_list() == ids


def test_text_of_floats_in_a_frame_is_kept() -> None:
    assert read_ids(pl.Series("item", ["1.0", "NaN"]), "frame")[0].to_list() == ["1.0", "NaN"]


@pytest.mark.parametrize("missing", MISSING)
def test_text_for_nothing_is_no_id(missing: str) -> None:
    with pytest.raises(DataError, match=r"log\.csv: column 'item' has no id in row 2 \(rows without one: 1\)"):
        read_ids(pl.Series("item", ["a", missing]), "log.csv", text=True)


@pytest.mark.parametrize(
    "ids",
    [[1, None, None], ["a", None, None], [1.0, None, float("nan")], pl.Series(["a", "", ""]).cast(pl.Categorical)],
)
def test_null_and_nan_are_no_ids(ids: list[object]) -> None:
    with pytest.raises(DataError, match=r"log: column 'item' has no id in row 2 \(rows without one: 2\)"):
        read_ids(pl.Series("item", ids), "log")


@pytest.mark.parametrize("value", [1.5, float("inf"), 2.0**54])
def test_a_float_that_is_no_integer_is_no_id(value: float) -> None:
    with pytest.raises(DataError, match=r"log: column 'item', row 2: an id must be an integer or a string, found"):
        read_ids(pl.Series("item", [1.0, value]), "log")


@pytest.mark.parametrize("kind", LARGEST_EXACT)
def test_floats_are_ids_as_far_as_they_tell_neighbours_apart(kind: type[pl.DataType]) -> None:
    size = LARGEST_EXACT[kind]
    assert pl.Series([size + 1]).cast(kind).cast(pl.Float64).item() == size
    assert read_ids(pl.Series("item", [size - 1, size - 2]).cast(kind), "log")[0].to_list() == [size - 1, size - 2]
    with pytest.raises(DataError, match=r"log: column 'item', row 2: an id must be an integer or a string, found"):
        read_ids(pl.Series("item", [1, size]).cast(kind), "log")


def test_an_integer_beyond_64_bits_is_no_id() -> None:
    with pytest.raises(DataError, match="row 2: an integer id must fit 64 bits with a sign, found 9223372036854775808"):
        read_ids(pl.Series("item", [1, 2**63], dtype=pl.UInt64), "log")


@pytest.mark.parametrize("column", [pl.Series("item", [True]), pl.Series("item", [[1]]), pl.Series("item", [object()])])
def test_other_types_are_no_ids(column: pl.Series) -> None:
    with pytest.raises(DataError, match="log: column 'item' must hold ids that are all integers or all strings, found"):
        read_ids(column, "log")
