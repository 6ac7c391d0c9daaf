"""Times of events: clock times as integer ticks, or positions, kept as precise as they came."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import polars as pl

from gsrec.data.columns import POSITION_NAMES, plain
from gsrec.data.ids import first_row, largest_exact
from gsrec.errors import DataError

TimeKind = Literal["clock", "position", "none"]


class Unit(NamedTuple):
    """What clock times are counted in, told by their typical size: at least so much, so many of them a second."""

    at_least: int
    a_second: int
    name: str


class Digits(NamedTuple):
    """How a date is written as an integer, and the first and the last that is taken for one."""

    first: int
    last: int
    form: str
    name: str


FINE_UNITS = (
    Unit(10**17, 10**9, "nanoseconds"),
    Unit(10**14, 10**6, "microseconds"),
    Unit(10**11, 10**3, "milliseconds"),
)
"""The finest first; what is smaller is seconds."""
DATE_FORMATS = (None, "%+", "%FT%T%.f", "%FT%R", "%F %T%.f", "%F %R", "%F")
"""How dates are written: as Polars guesses, then ISO 8601 in its forms."""
DIGITS = (
    Digits(1900_01_01, 2100_12_31, "%Y%m%d", "yyyymmdd"),
    Digits(1900_01_01_0000, 2100_12_31_2359, "%Y%m%d%H%M", "yyyymmddHHMM"),
    Digits(1900_01_01_00_00_00, 2100_12_31_23_59_59, "%Y%m%d%H%M%S", "yyyymmddHHMMSS"),
)
TIME_OF_DAY, ZONE = r"[T ]\d{1,2}:\d{2}", r":\d{2}.*([Zz]|UTC|[+-]\d{2}(:?\d{2})?)$"
"""What a date that tells a time of day holds, and what one that tells a zone as well ends with."""
SINCE_1973 = 100_000_000
"""Unix seconds from which on a time is taken for one of a real clock."""
CALENDAR = (-62_135_596_800, 253_402_300_799)
"""Unix seconds of the first and the last moment that a calendar of four digits can show."""
SECONDS_A_DAY = 86_400
TICKS_A_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, eq=False)
class Times:
    """The times of a log as numbers that sort.

    Attributes:
        values: (N,) Int64 or Float64, ticks since 1970 for a clock, else positions.
        kind: "clock" or "position".
        ticks_per_second: how many ticks of a clock make a second.
        notes: what was converted.
    """

    values: pl.Series
    kind: TimeKind
    ticks_per_second: int = 1
    notes: tuple[str, ...] = ()


def read_times(column: pl.Series, where: str) -> Times:
    """Turn a column of integers, floats, dates or text of these into numbers that sort as the times do.

    >>> read_times(pl.Series("date", ["1970-01-02", "1970-01-03T00:00:01Z"]), "a.csv").values.to_list()
    [86400, 172801]
    >>> read_times(pl.Series("ts", [1_600_000_000_500]), "a.csv").notes
    ("column 'ts': milliseconds, told by their size",)

    Raises:
        DataError: if a time is missing or unreadable, with the first such row.
    """
    _check(column.is_not_null(), column, where, "no time")
    texts = column if column.dtype == pl.String else None
    if texts is not None:
        column = _parse(texts, where)
    if column.dtype in (pl.Date, pl.Datetime):
        return _told(_within_calendar(_of_dates(column, texts), column, where), column.name)
    if column.dtype.is_decimal():
        whole = column.cast(pl.Int64, strict=False)
        column = whole if (whole == column).fill_null(False).all() else column.cast(pl.Float64)
    if not (column.dtype.is_integer() or column.dtype.is_float()):
        raise DataError(f"{where}: column {column.name!r} must hold numbers or dates, found {column.dtype}")
    numbers = _exact(column, where)
    if plain(column.name) in POSITION_NAMES:
        return Times(numbers, "position")
    return _told(_within_calendar(_of_clock(numbers, where), column, where), column.name)


def _check(good: pl.Series, column: pl.Series, where: str, problem: str) -> None:
    if not good.all():
        row = first_row(~good)
        raise DataError(
            f"{where}: column {column.name!r}, row {row}: {problem}, found {column[row - 1]!r}. "
            "Expected an integer, a float, a date such as 2020-12-31 or 2020-12-31T23:59:59Z, or a position."
        )


def _parse(column: pl.Series, where: str) -> pl.Series:
    column = column.str.strip_chars()
    for dtype in (pl.Int64, pl.Float64):
        numbers = column.cast(dtype, strict=False)
        if not numbers.null_count():
            return numbers
    dates = _iso(column)
    readable = min(numbers, dates, key=pl.Series.null_count).is_not_null()
    _check(readable, column, where, "unreadable time")
    return dates


def _iso(column: pl.Series) -> pl.Series:
    """Dates with the year first, in UTC; other orders are not guessed at, because 01/02/2020 means two days."""
    texts = column.set(~column.str.contains(r"^\d{4}[-/]"), None)
    dates = pl.Series(column.name, [None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, column.len())
    for form in DATE_FORMATS:
        if dates.null_count():
            dates = dates.zip_with(dates.is_not_null(), texts.str.to_datetime(form, time_zone="UTC", strict=False))
    return dates


def _of_dates(column: pl.Series, texts: pl.Series | None) -> Times:
    """The ticks of dates, which may have been texts."""
    dtype = column.dtype if isinstance(column.dtype, pl.Datetime) else pl.Datetime("ms", "UTC")
    zoneless = not dtype.time_zone if texts is None else _tell_no_zone(texts)
    notes = (f"column {column.name!r}: times without a zone were taken as UTC",) if zoneless else ()
    return _coarsest(Times(column.cast(dtype).to_physical(), "clock", TICKS_A_SECOND[dtype.time_unit], notes))


def _tell_no_zone(texts: pl.Series) -> bool:
    """Whether one of these dates tells a time of day without its zone."""
    return bool((texts.str.contains(TIME_OF_DAY) & ~texts.str.strip_chars().str.contains(ZONE)).any())


def _exact(column: pl.Series, where: str) -> pl.Series:
    if column.dtype.is_integer():
        _check(column.cast(pl.Int64, strict=False).is_not_null(), column, where, "a time beyond 64 bits")
        return column.cast(pl.Int64)
    _check(column.is_finite(), column, where, "no time")
    _check(column.abs() < 2**63, column, where, "a time beyond 64 bits")
    is_exact = column.abs() < largest_exact(column)
    if column.dtype != pl.Float64:
        _check(is_exact, column, where, "a time that floats of fewer than 64 bits do not tell from its neighbours")
    whole = (column == column.floor()) & is_exact
    return column.cast(pl.Int64 if whole.all() else pl.Float64)


def _of_clock(numbers: pl.Series, where: str) -> Times:
    for digits in DIGITS:
        if (dates := _of_digits(numbers, digits, where)) is not None:
            note = f"column {numbers.name!r}: dates written as {digits.name}, told by their size"
            return Times(dates, "clock", 1, (note,))
    typical = float(numbers.abs().median() or 0)  # type: ignore[arg-type]
    for unit in FINE_UNITS:
        if typical >= unit.at_least:
            is_coarser = (numbers != 0) & (numbers.abs() < unit.at_least // 10)
            problem = f"too small a time for {unit.name}, which most of them are (are units mixed?)"
            _check(~is_coarser, numbers, where, problem)
            note = f"column {numbers.name!r}: {unit.name}, told by their size"
            return _coarsest(Times(numbers, "clock", unit.a_second, (note,)))
    return Times(numbers, "clock")


def _of_digits(numbers: pl.Series, digits: Digits, where: str) -> pl.Series | None:
    """Seconds of dates such as 20201231, if most are dates; as seconds they would all lie in August 1970."""
    if numbers.dtype.is_float() or not _are_most(numbers.is_between(digits.first, digits.last)):
        return None
    dates = numbers.cast(pl.String).str.to_datetime(digits.form, time_unit="ms", strict=False)
    if not _are_most(dates.is_not_null()):
        return None
    _check(dates.is_not_null(), numbers, where, f"no date written as {digits.name}, which most of them are")
    return dates.to_physical() // 1000


def _are_most(mask: pl.Series) -> bool:
    return 2 * int(mask.sum()) > mask.len()


def _within_calendar(times: Times, column: pl.Series, where: str) -> Times:
    seconds = times.values // times.ticks_per_second
    inside = seconds.is_between(CALENDAR[0], CALENDAR[1])
    _check(inside, column, where, "a time outside the years 1 to 9999 (are units mixed?)")
    return times


def _told(times: Times, name: str) -> Times:
    """The times with notes on those that a clock seldom shows."""
    notes, ticks = times.notes, times.ticks_per_second
    num_recent = int((times.values.abs() >= SINCE_1973 * ticks).sum())
    if 2 * num_recent >= times.values.len() and (zeros := int((times.values == 0).sum())):
        notes += (f"column {name!r}: times of 0, which is 1970-01-01, the oldest of all: {zeros:,}",)
    if late := int((times.values > (time.time() + SECONDS_A_DAY) * ticks).sum()):
        newest = iso_time(int(times.values.to_numpy().max()) // ticks)
        notes += (f"column {name!r}: times that are still to come: {late:,}, the latest {newest}",)
    return replace(times, notes=notes)


def _coarsest(times: Times) -> Times:
    """Whole seconds as seconds."""
    if times.values.dtype.is_float() or (times.values % times.ticks_per_second != 0).any():
        return times
    return Times(times.values // times.ticks_per_second, "clock", 1, times.notes)


def iso_time(seconds: int) -> str:
    """A moment in Unix seconds as ISO 8601 in UTC.

    >>> iso_time(30)
    '1970-01-01T00:00:30Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
