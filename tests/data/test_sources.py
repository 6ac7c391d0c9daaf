import gzip
import io
import json
import re
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from gsrec.data import SOURCES, Columns, fetch, known_names, open_log
from gsrec.data.sources import cache_folder
from gsrec.errors import DataError

RATINGS = [(7, 1, 5, 30), (7, 2, 4, 10), (8, 1, 3, 20)]
LOG = [(7, 2, 10), (7, 1, 30), (8, 1, 20)]
NETFLIX = {"combined_data_1.txt": "1:\n7,5,1970-01-03\n8,3,1970-01-02\n", "combined_data_2.txt": "2:\n7,4,1970-01-01\n"}


def joined(separator: str, *header: str) -> str:
    rows = [list(header)] if header else []
    return "".join(f"{separator.join(map(str, row))}\n" for row in [*rows, *RATINGS])


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def reviews() -> bytes:
    objects = [{"reviewerID": user, "asin": item, "unixReviewTime": time} for user, item, _, time in RATINGS]
    return gzip.compress("".join(f"{json.dumps(review)}\n" for review in objects).encode())


ARCHIVES = {
    "ml-100k": lambda: zipped({"ml-100k/u.data": joined("\t"), "ml-100k/u1.base": "x"}),
    "ml-1m": lambda: zipped({"ml-1m/ratings.dat": joined("::"), "ml-1m/movies.dat": "x"}),
    "ml-20m": lambda: zipped({"ml-20m/ratings.csv": joined(",", "userId", "movieId", "rating", "timestamp")}),
    "amazon-beauty": lambda: joined(",").encode(),
    "amazon-beauty-5core": reviews,
}


@pytest.fixture
def published(server: str, served: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server with small files of the sources' formats, whose checksums are not the publishers'."""
    for name, make in ARCHIVES.items():
        (served / SOURCES[name].files[0]).write_bytes(make())
        monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], md5=None, url=server))
    return server


def test_a_frame_is_no_name_of_a_log() -> None:
    with pytest.raises(DataError, match=r"expected a path or a name, found DataFrame\. .* by gsrec\.log_from_frame\."):
        open_log(pl.DataFrame({"user": [1], "item": [2]}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_source_is_fetched_once_and_kept(name: str, published: str, served: Path, cache: Path) -> None:
    told: list[int] = []
    log = open_log(name, progress=lambda received, total: told.append(received))
    assert log.frame.rows() == LOG
    assert (log.name, log.time_kind) == (name, "clock")
    assert told
    (served / SOURCES[name].files[0]).unlink()
    assert open_log(name).frame.rows() == LOG
    assert fetch(name) == cache / SOURCES[name].files[0]


def test_another_address_can_be_given(published: str, served: Path, cache: Path) -> None:
    (served / "mirror").mkdir()
    (served / "ml-1m.zip").rename(served / "mirror" / "ml-1m.zip")
    assert fetch("ml-1m", base_url=f"{published}/mirror/") == cache / "ml-1m.zip"
    assert open_log("ml-1m", base_url=f"{published}/mirror").num_interactions == 3


def test_the_publishers_checksum_is_held_against_any_address(server: str, served: Path, cache: Path) -> None:
    (served / "ml-1m.zip").write_bytes(ARCHIVES["ml-1m"]())
    with pytest.raises(DataError, match="expected a file with MD5 c4d9eecfca2ab87c1945afe126590906, received"):
        open_log("ml-1m", base_url=server)
    assert list(cache.iterdir()) == []


def test_a_kept_file_that_changed_is_not_read(published: str, cache: Path) -> None:
    fetch("amazon-beauty")
    (cache / "ratings_Beauty.csv").write_text("7,1,5,30\n")
    with pytest.raises(DataError, match="no longer the file that was fetched"):
        open_log("amazon-beauty")


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_folder_of_logs_comes_before_any_fetching(name: str, data_folder: Path, cache: Path) -> None:
    (data_folder / SOURCES[name].files[0]).write_bytes(ARCHIVES[name]())
    assert open_log(name).frame.rows() == LOG
    assert fetch(name) == data_folder / SOURCES[name].files[0]
    assert not cache.exists()


def test_what_is_wrong_in_an_archive_is_told_of_the_archive(data_folder: Path) -> None:
    archive = data_folder / "ml-100k.zip"
    archive.write_bytes(zipped({"ml-100k/u.data": "1\t2\t3\t4\n1\t2\n"}))
    with pytest.raises(DataError, match=re.escape(f"{archive}: u.data: line 2 is not")):
        open_log("ml-100k")


@pytest.mark.parametrize("extension", ["csv", "csv.gz", "parquet", "inter.gz", "inter", "jsonl"])
@pytest.mark.parametrize("name", ["ml-1m", "my-own"])
def test_a_table_in_the_folder_of_logs_has_a_name(name: str, extension: str, data_folder: Path) -> None:
    path = data_folder / f"{name}.{extension}"
    frame = pl.DataFrame(LOG, schema=["user_id", "item_id", "timestamp"], orient="row")
    if extension == "parquet":
        frame.write_parquet(path)
    elif extension == "jsonl":
        frame.write_ndjson(path)
    else:
        text = frame.write_csv(separator="," if "csv" in extension else "\t").encode()
        path.write_bytes(gzip.compress(text) if extension.endswith(".gz") else text)
    log = open_log(name)
    assert (log.name, log.frame.rows()) == (name, LOG)
    assert name in known_names()


def test_a_table_of_titles_is_no_log(data_folder: Path) -> None:
    (data_folder / "my-own.item").write_text("item_id:token\ttitle:token_seq\n1\tHeat\n")
    assert "my-own" not in known_names()
    with pytest.raises(DataError, match="my-own"):
        open_log("my-own")


@pytest.mark.parametrize("name", ["nf_prize_dataset.tar.gz", "archive.zip"])
def test_the_netflix_prize_is_read_where_it_lies(name: str, data_folder: Path) -> None:
    (data_folder / name).write_bytes((zipped if name.endswith(".zip") else tarred)(NETFLIX))
    assert [row[:2] for row in open_log("netflix").frame.rows()] == [row[:2] for row in LOG]


@pytest.mark.parametrize("folder", ["netflix", "netflix/training_set"])
def test_the_netflix_prize_unpacked_among_fetched_files(folder: str, cache: Path) -> None:
    (cache / folder).mkdir(parents=True)
    for name, text in NETFLIX.items():
        (cache / folder / name).write_text(text)
    assert [row[:2] for row in open_log("netflix").frame.rows()] == [row[:2] for row in LOG]


def test_the_netflix_prize_cannot_be_fetched(cache: Path) -> None:
    with pytest.raises(
        DataError, match=r"netflix: its publisher offers it no longer\. If you have it, put it as nf_prize"
    ):
        fetch("netflix")


def test_a_netflix_folder_without_its_files(cache: Path) -> None:
    (cache / "netflix").mkdir(parents=True)
    with pytest.raises(DataError, match=r"netflix: holds no file named combined_data_\*\.txt or mv_\*\.txt"):
        open_log("netflix")


def test_a_file_wins_over_a_name(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.csv").write_text("user,item\n1,2\n")
    (data_folder / "shop.csv.csv").write_text("user,item\n1,2\n1,3\n")
    assert open_log("shop.csv").num_interactions == 1
    Path("shop.csv").unlink()
    assert open_log("shop.csv").num_interactions == 2


def test_columns_can_be_named(tmp_path: Path, data_folder: Path) -> None:
    (data_folder / "shop.csv").write_text("user,item,bought\n1,2,5\n1,3,4\n")
    assert open_log("shop", columns=Columns(item="bought")).frame["item_id"].to_list() == [5, 4]


def test_the_synthetic_log_has_a_name(cache: Path) -> None:
    assert open_log("synthetic").name == "synthetic"
    with pytest.raises(DataError, match="synthetic is made up where it is needed: there is nothing to fetch"):
        fetch("synthetic")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ml1m", r"ml1m: there is neither a file nor a source of this name\. Did you mean ml-1m"),
        ("data/ml-1n.csv.gz", "Did you mean ml-1m"),
        ("my-onw", "Did you mean my-own"),
        (
            "zzz",
            "Names that are known: ml-100k, ml-1m, ml-20m, amazon-beauty, amazon-beauty-5core, netflix, synthetic, my",
        ),
        ("../logs/my-own", "neither a file nor a source"),
    ],
)
def test_an_unknown_name_gets_a_hint(name: str, message: str, data_folder: Path) -> None:
    (data_folder / "my-own.csv.gz").touch()
    (data_folder / "README.md").touch()
    with pytest.raises(DataError, match=message):
        open_log(name)


def test_a_folder_is_no_log_unless_it_has_a_sources_name(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ml-1m").mkdir()
    assert open_log("ml-1m").num_interactions == 3
    (tmp_path / "shop").mkdir()
    with pytest.raises(DataError, match="shop: this is a folder; expected a file with interactions or the name of a"):
        open_log("shop")


def test_a_folder_of_logs_that_is_none_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GSREC_DATA", "/nowhere")
    with pytest.raises(DataError, match="GSREC_DATA names '/nowhere', and there is no such folder"):
        open_log("ml-1m")


def test_where_fetched_files_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GSREC_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("GSREC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "gsrec"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "gsrec"


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_tells_its_terms(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert "for research" in source.licence
    assert source.url is None or source.url.startswith("https://")
