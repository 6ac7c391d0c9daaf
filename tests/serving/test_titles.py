"""Items are found by their titles, and answers name them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.serving.conftest import Server, bundle_of

from gsrec.errors import DataError
from gsrec.serving.titles import Titles, read_titles

ROWS = {
    1: "Toy Story (1995)",
    2: "Heat (1995)",
    3: "The Heat (2013)",
    4: "Wheat Fields",
    5: "Amélie (2001)",
    6: 'Crouching Tiger, Hidden "Dragon"',
    99: "Not in the model",
}


@pytest.fixture
def titles(tmp_path: Path) -> Path:
    """A file with the titles of some items."""
    path = tmp_path / "titles.csv"
    rows = ['{},"{}"'.format(item, title.replace('"', '""')) for item, title in ROWS.items()]
    path.write_text("\n".join(["item_id,title", *rows, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?!", []),
        ("heat", [3, 2, 4]),  # words that begin with it first, the more popular first
        ("HEAT 19", [2]),
        ("amelie", [5]),
        ("Amélie", [5]),
        ("tiger hidden", [6]),
        ("not in", []),
        ("17", [17]),  # without a title an item is found by its id
        ("6", [6, 26, 16]),  # an id is found even where there is a title
        ("heat%", [3, 2, 4]),
    ],
)
def test_finding(titles: Path, query: str, found: list[int]) -> None:
    assert Titles.of([bundle_of()], read_titles(titles)).find(query, 10) == found


def test_an_id_is_found_however_it_is_written() -> None:
    titles = Titles.of([bundle_of(ids=[f"B00-{number:02}" for number in range(1, 31)])], {"B00-07": "Heat"})
    assert [titles.find(query, 10) for query in ("B00-07", "b00 07", "heat")] == [["B00-07"]] * 3


def test_an_id_is_found_among_many_that_begin_with_it() -> None:
    titles = Titles.of([bundle_of(ids=[f"{number}" for number in range(1, 31)])], {})
    for limit in (1, 3, 30):
        assert [titles.find(f"{number}", limit)[0] for number in range(1, 31)] == [f"{one}" for one in range(1, 31)]
    assert len(set(titles.find("1", 30))) == len(titles.find("1", 30)) == 12


def test_titles_beside_a_log_of_recbole(tmp_path: Path) -> None:
    path = tmp_path / "films.item"
    path.write_text('item_id:token\tmovie_title:token_seq\tclass:token_seq\n2\tHeat, the\tCrime\n7\t"M"\tCrime\n')
    assert read_titles(path) == {"2": "Heat, the", "7": '"M"'}


@pytest.mark.parametrize("name", ["titles.csv", "titles.parquet"])
def test_ids_are_read_as_those_of_a_log(tmp_path: Path, name: str) -> None:
    rows = pl.DataFrame({"item_id": [7.0, 8.0], "title": ["Heat", "Ronin"]})
    rows.write_csv(tmp_path / name) if name.endswith("csv") else rows.write_parquet(tmp_path / name)
    assert read_titles(tmp_path / name) == {"7": "Heat", "8": "Ronin"}


def test_an_empty_query_gives_the_most_popular(titles: Path) -> None:
    assert Titles.of([bundle_of()], read_titles(titles)).find("", 3) == [30, 29, 28]


def test_answers_name_items(serve: Callable[..., Server], titles: Path) -> None:
    server = serve(titles=titles)
    answer = server.ask("POST", "/v1/sessions/s/events", {"item_id": 9, "only": [1, 7], "k": 2})
    assert {item["item_id"]: item["title"] for item in answer["items"]} == {1: ROWS[1], 7: None}
    server.ask("POST", "/v1/sessions/s/events", {"item_id": 5})
    assert server.ask("GET", "/v1/sessions/s")["items"][1] == {"item_id": 5, "title": ROWS[5]}
    explained = server.ask("POST", "/v1/explain", {"history": [2], "item_id": 1})
    assert (explained["title"], explained["events"][0]["title"]) == (ROWS[1], ROWS[2])
    assert server.ask("GET", "/v1/items?query=heat&limit=1")["items"] == [{"item_id": 3, "title": ROWS[3]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("item,genre\n1,x\n", "titles need the columns item_id and title, found 'item', 'genre'"),
        ("item_id,title\n1,x,y\n", "line 2 is not 2 fields separated by ','"),
        ("", "the file is empty"),
    ],
)
def test_a_bad_file_of_titles_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "titles.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        read_titles(tmp_path / "titles.csv")


def test_a_missing_file_of_titles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_titles(tmp_path / "titles.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.csv", "movieId,title,genres\n007,Heat,Crime\n8,300,War\n9,,None\n"),
        ("movies.csv", "movieId;title;genres\n007;Heat;Crime\n8;300;War\n"),
        ("movies.tsv", "genres\tmovie_id\tmovie_title\nCrime\t007\tHeat\nWar\t8\t300\n"),
        ("goods.jsonl", '{"asin": "007", "title": "Heat"}\n{"asin": "8", "title": "300"}\n'),
    ],
)
def test_titles_come_in_any_format_that_logs_have(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_titles(tmp_path / name) == {"007": "Heat", "8": "300"}
