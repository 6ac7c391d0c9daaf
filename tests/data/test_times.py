import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data.times import DIGITS, read_times
from gsrec.errors import DataError


@given(
    st.lists(
        st.integers(-(10**10), 17 * 10**8).filter(lambda time: not DIGITS[0].first <= time <= DIGITS[0].last),
        min_size=1,
    )
)
def test_seconds_stay_seconds(seconds: list[int]) -> None:
    times = read_times(pl.Series("timestamp", seconds), "log")
    assert (times.values.to_list(), times.kind, times.ticks_per_second, times.notes) == (seconds, "clock", 1, ())


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), min_size=1))
def test_written_dates_are_what_they_say(moments: list[datetime]) -> None:
    times = read_times(pl.Series("date", [moment.isoformat() for moment in moments]), "log")
    since_1970 = [(moment - datetime(1970, 1, 1)) // timedelta(microseconds=1) for moment in moments]
    assert [value * (10**6 // times.ticks_per_second) for value in times.values] == since_1970


@pytest.mark.parametrize(("size", "unit"), [(10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")])
def test_finer_units_are_told_by_their_size_and_keep_their_precision(size: int, unit: str) -> None:
    moments = [1_500_000_000 * size + 1, 1_500_000_000 * size]
    times = read_times(pl.Series("ts", moments), "log")
    assert (times.values.to_list(), times.ticks_per_second) == (moments, size)
    assert times.notes == (f"column 'ts': {unit}, told by their size",)
    whole = read_times(pl.Series("ts", moments[1:]), "log")
    assert (whole.values.to_list(), whole.ticks_per_second) == ([1_500_000_000], 1)


def test_floats_keep_their_fractions() -> None:
    times = read_times(pl.Series("time", [1.5e9 + 0.25, 1.5e9]), "log")
    assert times.values.to_list() == [1_500_000_000.25, 1_500_000_000.0]
    milliseconds = read_times(pl.Series("time", [1.5e12 + 0.5, 1.5e12]), "log")
    assert (milliseconds.values.to_list(), milliseconds.ticks_per_second) == ([1.5e12 + 0.5, 1.5e12], 1000)
    assert read_times(pl.Series("time", [1.5e9, 2.0]), "log").values.dtype == pl.Int64


def test_floats_of_few_bits_are_times_as_far_as_they_are_exact() -> None:
    assert read_times(pl.Series("time", [16_777_215.0, 0.5], dtype=pl.Float32), "log").values.to_list() == [
        2**24 - 1,
        0.5,
    ]
    with pytest.raises(DataError, match="row 2: a time that floats of fewer than 64 bits do not tell from its neighb"):
        read_times(pl.Series("time", [1.0, 1_600_000_010.0], dtype=pl.Float32), "log")


def test_text_of_numbers_keeps_their_precision() -> None:
    times = read_times(pl.Series("time", ["1600000000123456789", " 1600000000123456788"]).str.strip_chars(), "log")
    assert times.values.to_list() == [1_600_000_000_123_456_789, 1_600_000_000_123_456_788]
    assert read_times(pl.Series("time", ["1.5", "2"]), "log").values.to_list() == [1.5, 2.0]


@pytest.mark.parametrize("name", ["position", "pos", "Order", "rank", "index"])
def test_positions_are_known_by_their_name(name: str) -> None:
    assert read_times(pl.Series(name, [10**12, 2]), "log").kind == "position"


def test_native_dates() -> None:
    day = read_times(pl.Series("date", [date(1970, 1, 3)]), "log")
    assert (day.values.to_list(), day.ticks_per_second, day.notes) == ([2 * 86_400], 1, ())
    naive = read_times(pl.Series("date", [datetime(1970, 1, 1, 0, 0, 1)]), "log")
    assert (naive.values.to_list(), naive.notes) == ([1], ("column 'date': times without a zone were taken as UTC",))
    for text, note in {
        "1970-01-01T00:00:01": naive.notes,
        "1970-01-01 00:00:01.0": naive.notes,
        "1970-01-01T00:00:01Z": (),
        "1970-01-01 00:00:01 UTC": (),
        "1970-01-01T02:00:01+02:00": (),
        "1970-01-02": (),
    }.items():
        assert read_times(pl.Series("date", [text]), "log").notes == note
    zoned = read_times(pl.Series("date", [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]), "log")
    assert (zoned.values.to_list(), zoned.notes) == ([1], ())
    nanoseconds = read_times(pl.Series("date", [1], dtype=pl.Datetime("ns", "Europe/Berlin")), "log")
    assert (nanoseconds.values.to_list(), nanoseconds.ticks_per_second) == ([1], 10**9)


@pytest.mark.parametrize("order", [1, -1])
def test_dates_with_and_without_a_zone_are_read_in_any_order(order: int) -> None:
    texts = ["2020-01-02T00:00:00", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5", "2020-01-03T00:00"][::order]
    found = read_times(pl.Series("date", texts), "log")
    day = 1_577_836_800 * 10**6
    assert found.values.to_list() == [day + 86_400 * 10**6, day, day + 500_000, day + 2 * 86_400 * 10**6][::order]
    assert found.notes == ("column 'date': times without a zone were taken as UTC",)


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-02",
        "2020/01/02",
        "2020-01-02 00:00",
        "2020-01-02T00:00:00",
        "2020-01-02 00:00:00.000",
        "2020-01-02T00:00:00Z",
        "2020-01-02T02:00:00+02:00",
        "2020-01-02 00:00:00 UTC",
    ],
)
def test_forms_of_iso_dates_also_mixed(text: str) -> None:
    times = read_times(pl.Series("date", [text, "2020-01-03", "2020-01-03T23:00:00-01:00"]), "log.csv")
    moments = [datetime(2020, 1, day, tzinfo=timezone.utc) for day in (2, 3, 4)]  # noqa: UP017 - same thing
    assert times.values.to_list() == [int(moment.timestamp()) for moment in moments]


@pytest.mark.parametrize(("bad", "good"), [("soon", "12"), ("01/02/2020", "2020-01-01"), ("2020-13-01", "2020-01-01")])
def test_the_first_unreadable_time_is_named(bad: str, good: str) -> None:
    with pytest.raises(DataError, match=rf"log\.csv: column 'time', row 3: unreadable time, found '{bad}'\. Expected"):
        read_times(pl.Series("time", [good, good, bad, bad]), "log.csv")


@pytest.mark.parametrize("values", [[1, None], ["1", None], [1.0, float("nan")], [1.0, float("inf")], ["1", "nan"]])
def test_a_missing_time_is_named(values: list[object]) -> None:
    with pytest.raises(DataError, match="column 'time', row 2: no time, found"):
        read_times(pl.Series("time", values), "log.csv")


def test_dates_without_separators_are_told_by_their_size() -> None:
    times = read_times(pl.Series("day", [19700103, 20200101]), "log")
    assert (times.values.to_list(), times.kind) == ([2 * 86_400, 1_577_836_800], "clock")
    assert times.notes == ("column 'day': dates written as yyyymmdd, told by their size",)
    for form, digits in (("yyyymmddHHMM", 197001030000), ("yyyymmddHHMMSS", 19700103000000)):
        times = read_times(pl.Series("day", [digits]), "log")
        assert times.values.to_list() == [2 * 86_400]
        assert times.notes == (f"column 'day': dates written as {form}, told by their size",)
    assert read_times(pl.Series("day", [19700103, 20200199]), "log").values.to_list() == [19700103, 20200199]
    assert read_times(pl.Series("order", [19700103]), "log").values.to_list() == [19700103]


@pytest.mark.parametrize("odd", [20200199, 0, 99999999])
def test_one_impossible_date_does_not_make_seconds_of_the_others(odd: int) -> None:
    with pytest.raises(DataError, match=rf"column 'day', row 2: no date written as yyyymmdd, .* found {odd}\."):
        read_times(pl.Series("day", [19700103, odd, 20200101]), "log")


@pytest.mark.parametrize("values", [[1, 2, 1_600_000_000_000], [1.0, 2.0, 3e12], ["1", "2", "-99999999999999"]])
def test_times_beyond_any_calendar_are_named(values: list[object]) -> None:
    with pytest.raises(DataError, match=r"row 3: a time outside the years 1 to 9999 \(are units mixed\?\), found"):
        read_times(pl.Series("time", values), "log.csv")


@pytest.mark.parametrize("small", [1_700_000_000, 1_700_000_000_000])
def test_smaller_units_among_larger_ones_are_named(small: int) -> None:
    with pytest.raises(
        DataError, match=r"row 2: too small a time for microseconds.* \(are units mixed\?\), found 17000"
    ):
        read_times(pl.Series("time", [1_700_000_000_000_001, small, 1_700_000_000_000_002, 0]), "log")


def test_times_that_a_clock_seldom_shows_are_told() -> None:
    assert read_times(pl.Series("time", [0, 0, 1_700_000_000, 1_700_000_001]), "log").notes == (
        "column 'time': times of 0, which is 1970-01-01, the oldest of all: 2",
    )
    assert read_times(pl.Series("time", [0, 1, 2]), "log").notes == ()
    assert read_times(pl.Series("time", [1_700_000_000, 5_000_000_000]), "log").notes == (
        "column 'time': times that are still to come: 1, the latest 2128-06-11T08:53:20Z",
    )
    assert read_times(pl.Series("time", [1_700_000_000, int(time.time())]), "log").notes == ()


def test_decimals_are_numbers() -> None:
    def read(*values: str) -> list[float]:
        return read_times(
            pl.Series("time", list(map(Decimal, values)), dtype=pl.Decimal(28, 1)), "log"
        ).values.to_list()

    assert read("1700000000", "2") == [1_700_000_000, 2]
    assert read("1.5", "2") == [1.5, 2.0]
    with pytest.raises(DataError, match="a time beyond 64 bits"):
        read("99999999999999999999")


def test_blanks_around_times_do_not_matter() -> None:
    times = read_times(pl.Series("time", [" 1700000000", "1700000001 "]), "log")
    assert times.values.to_list() == [1_700_000_000, 1_700_000_001]


def test_a_time_beyond_64_bits() -> None:
    with pytest.raises(DataError, match=r"row 2: a time beyond 64 bits, found 1e\+20"):
        read_times(pl.Series("time", ["1", "99999999999999999999"]), "log")
    with pytest.raises(DataError, match="row 1: a time beyond 64 bits, found 18446744073709551615"):
        read_times(pl.Series("time", [2**64 - 1], dtype=pl.UInt64), "log")


def test_other_types_are_no_times() -> None:
    with pytest.raises(DataError, match="column 'time' must hold numbers or dates, found Boolean"):
        read_times(pl.Series("time", [True]), "log")
