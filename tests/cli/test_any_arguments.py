"""Whatever is asked of a command, it answers or says what to do; nothing is called unexpected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Gsrec = Callable[..., tuple[int, str, str]]

LOG, RUN = "LOG", "RUN"
COLUMNS = ("--user-column", "--item-column", "--time-column")
FEWEST = ("--min-user-interactions", "--min-item-interactions")
COMMANDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("data", "describe", LOG): (*COLUMNS, *FEWEST),
    ("audit", LOG): ("--held-out", "--config", "--set", *COLUMNS, *FEWEST),
    ("plan", LOG): ("--model", "--preset", "--config", "--set", "--seed", *COLUMNS, *FEWEST),
    ("evaluate", RUN): ("--split", "--candidates", "--keep-seen", "--seed", "--log"),
    ("recommend", RUN): ("--history", "--users", "--everybody", "-k", "--exclude", "--only", "--keep-seen"),
    ("explain", RUN): ("--history", "--item"),
    ("drift", RUN, LOG): ("--days", "--out", *COLUMNS),
    ("inspect", RUN): (),
    ("pack", RUN): ("--out",),
    ("report", RUN): ("--out", "--fill"),
    ("verify", RUN, LOG): ("--targets",),
    ("refresh", RUN, LOG): ("--window", "--replay", "--rate", "--epochs", "--seed", "--out"),
}
TEXTS = (
    *("", " ", "-", "--", ".", "0", "-1", "1e999", "nan", "inf", "9" * 30, "0x10", "ä", "null", "None", "[", "{}"),
    *("i1", "i1,i2,,", "i1,nobody", "item_id", "user_id", "full", "popularity:2", "popularity:x", "uniform:-3"),
    *("gsrec", "bert4rec", "thesis", "test", "a=b", "epochs=0", "model.=", "data.split=temporal", "dropout=nan"),
    *(LOG, RUN, "made.csv", "made.gsrec", "made"),
)
VALUES = st.sampled_from(TEXTS) | st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), max_size=9
)


@st.composite
def arguments(draw: st.DrawFn) -> list[str]:
    """A command, with some of its options or others, and values that fit or do not."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    options = st.sampled_from(COMMANDS[command] or ("--json",))
    some = draw(st.lists(st.tuples(options, VALUES), max_size=3))
    places = [draw(VALUES) if part in (LOG, RUN) and draw(st.integers(0, 5)) == 0 else part for part in command]
    return [*places, *(part for pair in some for part in pair)]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=arguments())
def test_it_answers_or_says_what_to_do(gsrec: Gsrec, small_log: Path, run_folder: Path, given: list[str]) -> None:
    places = {LOG: str(small_log), RUN: str(run_folder)}
    code, out, err = gsrec(*(places.get(part, part) for part in given))
    assert code in (0, 1, 2), err
    assert "a bug in GSRec" not in err, err
    assert code == 0 or err or out
