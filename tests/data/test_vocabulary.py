import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data import Vocabulary
from gsrec.errors import DataError

IDS = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True) | st.lists(st.text(), unique=True)


@given(IDS)
def test_encoding_and_decoding_are_inverse(ids: list[int] | list[str]) -> None:
    if not ids:
        return
    vocabulary = Vocabulary.of(ids)
    items = vocabulary.encode(ids)
    assert items.tolist() == list(range(1, len(ids) + 1))
    assert vocabulary.decode(items) == ids


@given(st.lists(st.integers(0, 9), unique=True, min_size=1), st.lists(st.integers(0, 20)))
def test_extending_only_appends(ids: list[int], new: list[int]) -> None:
    vocabulary = Vocabulary.of(ids)
    extended = vocabulary.extended(new)
    assert extended.encode(ids).tolist() == vocabulary.encode(ids).tolist()
    assert extended.ids.to_list() == list(dict.fromkeys([*ids, *new]))


def test_unknown_ids_are_item_0() -> None:
    assert Vocabulary.of(["a"]).encode(["b", "a", 7]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("items", [[0], [3], [1, -1]])
def test_indices_out_of_range_stand_for_nothing(items: list[int]) -> None:
    with pytest.raises(DataError, match=re.escape("item indices must be within 1..2, found")):
        Vocabulary.of(["a", "b"]).decode(np.array(items))


def test_typed_ids_are_read_as_the_vocabularys_type() -> None:
    assert Vocabulary.of(["7"]).parse("7") == "7"
    assert Vocabulary.of([7]).parse("7") == 7
    with pytest.raises(DataError, match="item ids of this log are integers, found 'seven'"):
        Vocabulary.of([7]).parse("seven")
    assert Vocabulary.of([7]).extended(np.array([7, 70])).ids.to_list() == [7, 70]
    assert Vocabulary.of([7]).extended(["7", "70"]).ids.to_list() == [7, 70]
    with pytest.raises(DataError, match="the item ids so far are integers, and 'seven' is none"):
        Vocabulary.of([7]).extended(["seven"])
    for other in ("007", "+7", "7_0", " 7", "-0"):  # as it is another id in a log, and one that HTTP does not know
        assert not Vocabulary.of([7, 70, 0]).encode([other]).any()
        with pytest.raises(DataError, match="item ids of this log are integers"):
            Vocabulary.of([7, 70, 0]).parse(other)


@pytest.mark.parametrize("ids", [[1, "a"], ["a", 1], [2**200, 1]])
def test_ids_of_mixed_types_are_refused(ids: list[int | str]) -> None:
    with pytest.raises(DataError, match="item ids must be all integers or all strings"):
        Vocabulary.of(ids)


@pytest.mark.parametrize("ids", [pl.Series([1, 1]), pl.Series(["a", None])])
def test_every_id_is_there_once(ids: pl.Series) -> None:
    with pytest.raises(DataError, match="must hold every item id once and no missing one"):
        Vocabulary(ids)


def test_ids_of_other_types_are_refused() -> None:
    with pytest.raises(DataError, match="item ids must be integers or strings, found Float64"):
        Vocabulary(pl.Series([1.5]))
    with pytest.raises(DataError, match="item ids must be integers or strings, found Int128"):
        Vocabulary.of([2**70])


def test_it_prints_its_size() -> None:
    assert repr(Vocabulary.of([1, 2])) == "Vocabulary(2 items, integers)"
    assert repr(Vocabulary.of(["a"])) == "Vocabulary(1 items, strings)"


def test_an_id_is_known_as_text_and_as_a_number() -> None:
    assert Vocabulary.of([7, -3]).encode(["7", "-3", "07", "7.0", "x", "", "9" * 40]).tolist() == [1, 2, 0, 0, 0, 0, 0]
    assert Vocabulary.of(["7", "x"]).encode([7, 8, "x"]).tolist() == [1, 0, 2]
