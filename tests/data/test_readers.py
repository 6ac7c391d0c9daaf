from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gsrec.data import Columns, read_log
from gsrec.data.ids import MISSING
from gsrec.errors import DataError

Writer = Callable[[str, str | bytes], Path]
ROWS = [("ann", 30, 1_600_000_020), ("bob", 20, 1_600_000_000), ("ann", 10, 1_600_000_010)]
SORTED = [("ann", 10, 1_600_000_010), ("ann", 30, 1_600_000_020), ("bob", 20, 1_600_000_000)]
PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def lines(*rows: object) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def separated(separator: str, *header: str) -> bytes:
    return lines(*([separator.join(header)] if header else []), *(separator.join(map(str, row)) for row in ROWS))


def parquet(tmp_path: Path) -> bytes:
    path = tmp_path / "source.parquet"
    pl.DataFrame(ROWS, schema=["user", "item", "ts"], orient="row").write_parquet(path)
    return path.read_bytes()


def contents(tmp_path: Path) -> dict[str, bytes]:
    rated = [(user, item, 5, time) for user, item, time in ROWS]
    objects = [json.dumps({"reviewerID": user, "asin": item, "unixReviewTime": time}) for user, item, time in ROWS]
    return {
        ".csv": separated(",", "user_id", "item_id", "timestamp"),
        ".tsv": separated("\t", "user_id", "item_id", "timestamp"),
        ".inter": separated("\t", "user_id:token", "item_id:token", "timestamp:float"),
        ".jsonl": lines(*objects),
        ".ndjson": lines(*objects),
        ".json": lines(*objects),
        ".dat": lines(*("::".join(map(str, row)) for row in rated)),
        ".data": lines(*("\t".join(map(str, row)) for row in rated)),
        ".parquet": parquet(tmp_path),
    }


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize(
    "extension", [".csv", ".tsv", ".inter", ".jsonl", ".ndjson", ".json", ".dat", ".data", ".parquet", ".CSV"]
)
def test_every_format_makes_the_same_log(extension: str, packed: str, write: Writer, tmp_path: Path) -> None:
    path = write(f"shop{extension}{packed}", PACK[packed](contents(tmp_path)[extension.lower()]))
    log = read_log(path)
    assert log.frame.rows() == SORTED
    assert (log.name, log.time_kind) == ("shop", "clock")
    assert log.notes[0].startswith("columns guessed: user '")


@pytest.mark.parametrize("packed", PACK)
def test_lines_of_histories(packed: str, write: Writer) -> None:
    log = read_log(write(f"beauty.txt{packed}", PACK[packed](b"2 7 8  7\r\n1 9\n2\t5\n")))
    assert log.frame.rows() == [(1, 9), (2, 7), (2, 8), (2, 7), (2, 5)]
    assert log.time_kind == "none"


def test_a_path_can_be_text_a_log_can_be_named_and_columns_too(write: Writer) -> None:
    path = write("log.csv", "a,b\n1,2\n")
    log = read_log(str(path), name="mine", columns=Columns(user="b", item="a"))
    assert (log.name, log.frame.rows()) == ("mine", [(2, 1)])


def test_a_path_with_brackets_is_one_file(write: Writer) -> None:
    assert read_log(write("log[12]*.csv", "user,item\n1,2\n")).name == "log[12]*"
    assert read_log(write("log[12]*.txt", "1 2\n")).num_interactions == 1
    assert read_log(write("log[12]*.jsonl", '{"user": 1, "item": 2}\n')).num_interactions == 1


IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: text not in MISSING and not text.endswith(".0") and text == text.strip()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(ids=st.lists(IDS | st.from_regex(r"0?[0-9]{1,3}", fullmatch=True), min_size=1), packed=st.sampled_from([*PACK]))
@pytest.mark.parametrize("extension", ["csv", "tsv"])
def test_no_spelling_of_an_id_is_ever_changed(extension: str, ids: list[str], packed: str, tmp_path: Path) -> None:
    path = tmp_path / f"log.{extension}{packed}"
    text = pl.DataFrame({"user": ["u"] * len(ids), "item": ids}).write_csv(
        separator="\t" if extension == "tsv" else ","
    )
    path.write_bytes(PACK[packed](text.encode()))
    assert read_log(path).frame["item_id"].cast(pl.String).to_list() == ids


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(events=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 3)), min_size=1))
@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "dat"])
def test_reading_sorts_stably(extension: str, events: list[tuple[int, int, int]], tmp_path: Path) -> None:
    frame = pl.DataFrame(events, schema=["user", "item", "time"], orient="row")
    path = tmp_path / f"log.{extension}"
    if extension == "dat":
        path.write_bytes(lines(*(f"{user}::{item}::5::{time}" for user, item, time in events)))
    else:
        getattr(frame, {"csv": "write_csv", "jsonl": "write_ndjson", "parquet": "write_parquet"}[extension])(path)
    assert read_log(path).frame.rows() == sorted(events, key=lambda event: (event[0], event[2]))


def test_spellings_that_integers_would_lose_keep_a_column_text(write: Writer) -> None:
    log = read_log(write("log.csv", "user,item\n007,1\n7,2\n+7,3\n"))
    assert log.frame["user_id"].to_list() == ["+7", "007", "7"]
    assert log.frame["item_id"].to_list() == [3, 1, 2]


def test_quotes_may_enclose_separators_quotes_line_ends_and_blank_lines(write: Writer) -> None:
    text = 'user,item,title\r\n1,"a,b","line one\r\n\r\nline, two, three\r\n"\r\n1,"say ""hi""",x\r\n'
    log = read_log(write("log.csv", text))
    assert log.frame["item_id"].to_list() == ["a,b", 'say "hi"']
    assert not any("blank" in note for note in log.notes)


def test_a_line_with_quotes_is_counted_too(write: Writer) -> None:
    text = 'when,user,item,amount\n1,"u1","a, ""b""",1\n2,"u2",Käse, alt,1\n'
    with pytest.raises(DataError, match=r"line 3 is not 4 fields separated by ',': '2,\"u2\",Käse, alt,1'\. Repair"):
        read_log(write("log.csv", text))


def test_the_place_of_a_quote_left_open_is_told(write: Writer) -> None:
    rows = "".join(f'"u{place}","i{place}"\n' for place in range(40))
    with pytest.raises(DataError, match=r"a quote left open, such as in line 42\?"):
        read_log(write("log.csv", f'user,item\n{rows}"u1","i1\n{rows}'))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_csv_file_may_have_other_separators(write: Writer, separator: str) -> None:
    log = read_log(write("log.csv", 'user,item,what\n1,2,"x;y|z"\n'.replace(",", separator)))
    assert log.frame.rows() == [(1, 2)]
    assert log.notes[0] == f"fields separated by {separator!r}"
    named = write("named.csv", f'"what, then"{separator}user{separator}item\n1{separator}2{separator}3\n')
    assert read_log(named).frame.rows() == [(2, 3)]


def test_ratings_are_told_to_count_for_nothing(write: Writer) -> None:
    log = read_log(write("log.csv", "user,item,Rating\n1,2,0.5\n"))
    assert "column 'Rating' is not used: every row counts as taken" in log.notes


def test_a_byte_order_mark_is_no_part_of_a_name_or_an_id(write: Writer) -> None:
    assert read_log(write("log.csv", "\ufeffuser,item\n1,2\n")).num_users == 1
    assert read_log(write("log.txt", "\ufeff1 2\n")).frame.rows() == [(1, 2)]
    assert read_log(write("log.jsonl", '\ufeff{"user": 1, "item": 2}\n{"user": 1, "item": 3}\n')).num_items == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", "user,item\n\n1,2\n  \n1,3\n\n"),
        ("log.csv", 'user,item\n,\n1,2\n , \n1,3\n"",\n'),
        ("log.tsv", "user\titem\n\t\n1\t2\n\n1\t3\n\t\n"),
        ("log.txt", "\n1 2\n  \n1 3\n\n"),
        ("log.dat", "\n1::2::5::1\n  \n1::3::5::2\n\n"),
        ("log.inter", "user:token\titem:token\n\n1\t2\n \n1\t3\n\n"),
    ],
)
def test_blank_lines_are_skipped_and_counted(name: str, text: str, write: Writer) -> None:
    log = read_log(write(name, text))
    assert log.frame["item_id"].to_list() == [2, 3]
    assert "blank lines skipped: 3" in log.notes


def test_quotes_in_a_tsv_are_text_where_they_enclose_nothing(write: Writer) -> None:
    log = read_log(write("log.tsv", 'user\titem\ttitle\na\t1\t12" disc\nb\t"2\tx\na\t"2\t5" reel\n'))
    assert log.frame.select("user_id", "item_id").rows() == [("a", "1"), ("a", '"2'), ("b", '"2')]
    assert "quotes are text, as in line 2" in log.notes
    quoted = read_log(write("quoted.tsv", 'user\titem\ttitle\n"a"\t1\t"x\ty"\nb\t2\t"two\nlines"\n'))
    assert quoted.frame.select("user_id", "item_id").rows() == [("a", 1), ("b", 2)]
    assert not any("quotes" in note for note in quoted.notes)


MOVIELENS = "user::item::rating::timestamp"
BAD = [
    ("log.csv", "user,item,time\n1,2,3\n1,2\n", "line 3 is not 3 fields separated by ',': '1,2'. Repair or remove"),
    ("log.csv", "user,item\n1,2\n1,2,3\n1\n", "line 3 is not 2 fields separated by ',': '1,2,3'"),
    ("log.tsv", "user\titem\n1 2\n", "line 2 is not 2 fields separated by '\\t': '1 2'"),
    ("log.inter", "user:token\titem:token\n1\n", "line 2 is not 2 fields separated by '\\t': '1'"),
    ("log.data", "1\t2\t5\t1\n1\t2\t5\n", "line 2 is not 4 fields separated by '\\t': '1\\t2\\t5'"),
    ("log.dat", "1::2::5::1\n\n1::2::5\n", f"line 3 is not {MOVIELENS}: '1::2::5'"),
    ("log.txt", "1 2\n3\n", "line 2 is not a user and then items: '3'"),
    ("log.csv", b"user,item,title\n1,2,x\n1,2,\xff\n", "line 3 holds bytes that are not UTF-8. Convert"),
    ("log.dat", b"1::2::5::1\n1::\xe9::5::1\n", "line 2 holds bytes that are not UTF-8"),
    ("log.csv", "user,item\n1,2\n".encode("utf-16"), "line 1 holds bytes that are not UTF-8"),
    ("log.csv", 'user,item,title\n1,2,12" disc\n', "line 2 is not fields in which a quote begins and ends a whole one"),
    ("log.csv", 'user,item,title\na,1,x\nb,2,12" v\nc,3,z\nd,4,5" e\n', "a whole one: 'b,2,12\" v'. Repair or remove"),
    ("log.tsv", 'user\titem\tt\na\t1\t"a\nb"\nb\t2\t5"\nc\t3\t5"\n', "line 4 is not fields in which a quote"),
    ("log.csv", 'user,item\n1,"2\n1,3\n', "cannot be read as its extension says: "),
    ("log.csv", "", "the file is empty"),
    ("log.csv.gz", gzip.compress(b""), "the file is empty"),
    ("log.data.gz", gzip.compress(b""), "the file is empty"),
    ("log.jsonl.zst", zstandard.compress(b""), "the file is empty"),
    ("log.csv", "user,item\n", "there are columns (user, item) but no rows"),
    ("log.csv", "user,item\n\n\n", "there are columns (user, item) but no rows"),
    ("log.txt", "\n\n", "there are columns (user_id, item_id) but no rows"),
    ("log.csv", "1,5,1\n2,6,3\n", "none of its columns looks like the user: '1', '5', '1'"),
    ("log.csv", "who,item\n1,2\n", "none of its columns looks like the user: 'who', 'item'"),
    ("log.csv", "user,item,time\n1,2,3\n1,,3\n", "column 'item' has no id in row 2 (rows without one: 1)"),
    ("log.csv", "user,item,time\n1,2,3\nNaN,2,3\n", "column 'user' has no id in row 2"),
    ("log.csv", "user,item,time\n1,2,3\n1,2,\n", "column 'time', row 2: no time, found None"),
    ("log.csv", "user,item,time\n1,2,3\n1,2,soon\n", "column 'time', row 2: unreadable time, found 'soon'"),
    ("log.jsonl", '{"user": 1, "item": 2}\n{"user": 3}\n', "column 'item' has no id in row 2"),
    ("log.jsonl", '{"user": 1, "item": 2}\n\n{"user": 1,\n', "line 3 is not a JSON object: '{\"user\": 1,\\n'"),
    ("log.json", '[{"user": 1, "item": 2}]', "line 1 is not a JSON object"),
    ("log.jsonl", '{"user": 1}\n{"user": [1]}\n', "its lines do not agree on the types of their fields"),
    (
        "log.jsonl",
        '{"user": "a", "item": 1}\n{"user": 2, "item": 1}\n',
        "has ids of mixed types: strings, and in line 2 2",
    ),
    (
        "log.jsonl",
        '{"user": 1.5, "item": 1}\n{"user": 2, "item": 1}\n',
        "column 'user', row 1: an id must be an integer",
    ),
    ("log.parquet", "PAR1 and then nothing", "cannot be read as its extension says"),
    ("log.xlsx", "x", "no format has the extension '.xlsx'; expected one of .csv, .tsv, .parquet, .jsonl"),
    ("log", "x", "no format has the extension ''"),
    ("log.txt", "user_id\titem_id\ttimestamp\n1\t2\t3\n", "its first line names columns, so it is a table"),
    ("log.txt", "userId,movieId\n1,2\n", "its first line names columns, so it is a table"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=[f"{i} {bad[0]}" for i, bad in enumerate(BAD)])
def test_bad_input_says_what_is_wrong_and_where(name: str, content: str | bytes, message: str, write: Writer) -> None:
    path = write(name, content)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_log(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_string_that_only_looks_mixed_is_none(write: Writer) -> None:
    text = '{"user": "a", "item": "x", "by": {"user": 5}, "text": "\\"item\\": 5"}\n{"user": "b", "item": "y"}\n'
    assert read_log(write("log.jsonl", text)).frame.rows() == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize("cut", [-4, -10, 20])
@pytest.mark.parametrize(
    ("extension", "packed"),
    [(".csv", ".gz"), (".csv", ".zst"), (".jsonl", ".gz"), (".parquet", ".gz"), (".txt", ".gz")],
)
def test_a_file_cut_short_is_no_log(extension: str, packed: str, cut: int, write: Writer, tmp_path: Path) -> None:
    whole = PACK[packed]({**contents(tmp_path), ".txt": b"1 2 3 4\n" * 99}[extension])
    path = write(f"log{extension}{packed}", whole[:cut])
    with pytest.raises(DataError, match="cannot be read; it may be cut short or damaged"):
        read_log(path)


@pytest.mark.parametrize("extension", [".csv", ".jsonl", ".parquet"])
def test_a_damaged_file_is_no_log(extension: str, write: Writer, tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(contents(tmp_path)[extension]))
    whole[-6] ^= 0xFF
    with pytest.raises(DataError, match="cannot be read; it may be cut short or damaged"):
        read_log(write(f"log{extension}.gz", bytes(whole)))


def test_a_parquet_file_cut_short(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"cannot be read as its extension says: .*\. Is it damaged, or a quote left open\?"
    ):
        read_log(write("log.parquet", parquet(tmp_path)[:-20]))


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this is a folder; expected a file"):
        read_log(tmp_path)


def test_a_missing_file_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read_log(tmp_path / "none.csv")
