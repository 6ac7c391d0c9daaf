"""The public logs that have names: where they come from, how they are read, on what terms they may be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from gsrec.data.archives import extract
from gsrec.data.build import log_from_table
from gsrec.data.columns import Columns
from gsrec.data.formats import RATINGS_HEADER, Reader, read_table
from gsrec.data.log import InteractionLog
from gsrec.data.netflix import FILE_PATTERNS, read_netflix
from gsrec.data.readers import read_log
from gsrec.data.separated import Separated
from gsrec.errors import DataError

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
GROUPLENS_LICENCE = (
    "MovieLens data by GroupLens, University of Minnesota: for research; acknowledge it in publications (F. M. Harper "
    "and J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015); no redistribution and no "
    "commercial use without permission; no endorsement may be implied. See https://grouplens.org/datasets/movielens/"
)
AMAZON = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
AMAZON_LICENCE = (
    "Amazon reviews of 2014, gathered by J. McAuley, UC San Diego: for research; cite J. McAuley, C. Targett, J. Shi "
    "and A. van den Hengel, Image-based Recommendations on Styles and Substitutes, SIGIR 2015. "
    "See https://cseweb.ucsd.edu/~jmcauley/datasets.html"
)
NETFLIX_LICENCE = (
    "Netflix prize data by Netflix: for research; acknowledge it in publications; no redistribution and no commercial "
    "use without permission; no endorsement may be implied."
)

SourceReader = Callable[[Path, Columns, str], InteractionLog]


@dataclass(frozen=True)
class Source:
    """A public log.

    Attributes:
        name: what the log is called.
        files: the names its file goes by; the first is the one fetched.
        read: reads the file, given the columns and the log's name.
        licence: the terms of its publisher, to be shown to the user.
        url: the folder it is fetched from; None where it is offered no longer.
        md5: the checksum its publisher gives, if any.
    """

    name: str
    files: tuple[str, ...]
    read: SourceReader
    licence: str
    url: str | None = None
    md5: str | None = None


def _read_file(reader: Reader, path: Path, columns: Columns, name: str) -> InteractionLog:
    return read_log(path, columns=columns, name=name, reader=reader)


@contextmanager
def _unpacked(archive: Path) -> Iterator[Path]:
    """A folder for what is in an archive; messages tell of the archive, as the folder goes."""
    with TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", f"{archive}: ")) from error


def _read_member(member: str, path: Path, columns: Columns, name: str) -> InteractionLog:
    with _unpacked(path) as folder:
        [file] = extract(path, (member,), folder)
        return read_log(file, columns=columns, name=name)


def _read_netflix(path: Path, columns: Columns, name: str) -> InteractionLog:
    with _unpacked(path) as folder:
        files = _netflix_files(path) if path.is_dir() else extract(path, FILE_PATTERNS, folder)
        return log_from_table(read_netflix(files), columns=columns, name=name)


def _netflix_files(folder: Path) -> list[Path]:
    files = sorted(file for pattern in FILE_PATTERNS for file in folder.rglob(pattern))
    if not files:
        raise DataError(f"{folder}: holds no file named {' or '.join(FILE_PATTERNS)}")
    return files


def _movielens(name: str, member: str, md5: str) -> Source:
    return Source(name, (f"{name}.zip",), partial(_read_member, member), GROUPLENS_LICENCE, GROUPLENS, md5)


def _amazon(name: str, file: str, reader: Reader) -> Source:
    return Source(name, (file,), partial(_read_file, reader), AMAZON_LICENCE, AMAZON)


NETFLIX_NAMES = ("nf_prize_dataset.tar.gz", "netflix-prize-data.zip", "archive.zip", "training_set.tar", "netflix")

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _movielens("ml-100k", "u.data", "0e33842e24a9c977be4e0107933c0723"),
        _movielens("ml-1m", "ratings.dat", "c4d9eecfca2ab87c1945afe126590906"),
        _movielens("ml-20m", "ratings.csv", "cd245b17a1ae2cc31bb14903e1204af3"),
        _amazon("amazon-beauty", "ratings_Beauty.csv", Separated(",", header=RATINGS_HEADER)),
        _amazon("amazon-beauty-5core", "reviews_Beauty_5.json.gz", read_table),
        Source("netflix", NETFLIX_NAMES, _read_netflix, NETFLIX_LICENCE),
    )
}
"""Every source by its name."""
