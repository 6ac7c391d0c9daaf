"""What is wrong with a log, a setting or a history is one clear message, and nothing is half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Gsrec = Callable[..., tuple[int, str, str]]

SIZES = ("--model", "gru4rec", "--set", "epochs=1", "--set", "embedding_size=8", "--set", "recurrent_size=8")

HEADER = "user_id,item_id,timestamp\n"


def rows(*given: str) -> str:
    return HEADER + "".join(f"{row}\n" for row in given)


def histories(num_users: int, length: int, item: str = "{time}") -> str:
    times = range(length)
    return rows(*(f"{user},{item.format(time=time)},{time}" for user in range(num_users) for time in times))


LOGS = {
    "missing column": ("user_id,score\n1,2\n", "none of its columns looks like the item: 'user_id', 'score'"),
    "empty file": ("", "the file is empty"),
    "header only": (HEADER, "there are columns (user_id, item_id, timestamp) but no rows"),
    "null id": (rows("1,2,3", "1,,4"), "column 'item_id' has no id in row 2 (rows without one: 1)"),
    "NaN id": (rows("1,2,3", "NaN,2,4"), "column 'user_id' has no id in row 2 (rows without one: 1)"),
    "unreadable time": (rows("1,2,3", "1,5,soon"), "column 'timestamp', row 2: unreadable time, found 'soon'"),
    "one item": (histories(5, 5, "7"), "a model needs at least 2 items to choose from, found 1"),
    "too short": (histories(5, 2), "none of 10 interactions is left: its 5 users were to have at least 3"),
    "broken line": (rows("1,2,3", "1,5"), "line 3 is not 3 fields separated by ',': '1,5'"),
}


@pytest.mark.parametrize("problem", LOGS)
@pytest.mark.parametrize("command", ["describe", "train", "compare"])
def test_a_bad_log(gsrec: Gsrec, folder: Path, command: str, problem: str) -> None:
    content, message = LOGS[problem]
    Path("log.csv").write_text(content, encoding="utf-8")
    if command == "describe":
        least = ("--min-user-interactions", 3) if problem == "too short" else ()
        code, out, err = gsrec("data", "describe", "log.csv", *least, "--quiet")
        if problem == "one item":  # it can be described
            assert code == 0
            return
    elif command == "train":
        code, out, err = gsrec("train", "log.csv", *SIZES, "--out", "out")
    else:
        code, out, err = gsrec("compare", "log.csv", "--models", "poprec,gru4rec", "--out", "out")
    assert (code, out) == (1, "")
    assert message in err
    assert err.startswith("gsrec: ")
    assert err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["log.csv"]


def test_the_message_names_the_file(gsrec: Gsrec, folder: Path) -> None:
    Path("log.csv").touch()
    assert gsrec("train", "log.csv", "--out", "out")[2] == f"gsrec: {folder / 'log.csv'}: the file is empty\n"


def test_mixed_id_types(gsrec: Gsrec, folder: Path) -> None:
    content = '{"user_id": 1, "item_id": "a"}\n{"user_id": 1, "item_id": 2}\n'
    Path("log.jsonl").write_text(content, encoding="utf-8")
    code, _, err = gsrec("train", "log.jsonl", "--out", "out")
    assert code == 1
    assert "column 'item_id' has ids of mixed types: strings, and in line 2 2" in err
    assert not Path("out").exists()


def test_one_user_is_told(gsrec: Gsrec) -> None:
    Path("log.csv").write_text(histories(1, 8), encoding="utf-8")
    code, out, err = gsrec("train", "log.csv", *SIZES, "--out", "out")
    assert code == 0
    assert "note: there is only one user\n" in err
    assert "1 users" in out
    assert gsrec("evaluate", "out")[0] == 0
    assert gsrec("compare", "log.csv", "--models", "poprec,gru4rec", *SIZES[2:], "--out", "results")[0] == 0


@pytest.mark.parametrize("command", ["train", "compare"])
def test_what_is_kept_and_dropped_is_counted(gsrec: Gsrec, command: str) -> None:
    log = histories(4, 5) + "0,0,0\n0,1,1\n" + "9,1,1\n"
    Path("log.csv").write_text(log, encoding="utf-8")
    models = ("--model", "poprec") if command == "train" else ("--models", "poprec")
    code, _, err = gsrec(command, "log.csv", *models, "--out", "out")
    assert code == 0
    assert "note: interactions that repeat another's user, item and time: 2 (drop_duplicates leaves them out)\n" in err
    dropped = "of users with fewer than 3 or items with fewer than 1 (counted once): 1 (users gone: 1, items gone: 0)"
    assert f"note: dropped interactions {dropped}\n" in err
    assert err.count("note: dropped") == 1


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (
            "nothing.csv",
            "nothing.csv: there is neither a file nor a source of this name. Names that are known:",
        ),
        ("ml-1n", "Did you mean ml-1m or ml-100k?"),
        (".", "this is a folder; expected a file with interactions or the name of a source"),
        ("log.xls", "log.xls: no format has the extension '.xls'; expected one of .csv"),
        ("netflix", "its publisher offers it no longer"),
    ],
)
def test_a_log_that_is_none(gsrec: Gsrec, log: str, message: str) -> None:
    Path("log.xls").write_text("x", encoding="utf-8")
    for command in (("data", "describe", log), ("train", log, "--out", "out")):
        code, out, err = gsrec(*command)
        assert (code, out) == (1, "")
        assert message in err
    assert not Path("out").exists()


def test_a_folder_of_the_same_name_does_not_hide_a_source(gsrec: Gsrec) -> None:
    Path("synthetic").mkdir()
    assert gsrec("train", "synthetic", "--model", "poprec", "--out", "out")[0] == 0


def test_columns_that_are_not_there(gsrec: Gsrec, small_log: Path) -> None:
    code, _, err = gsrec("train", small_log, "--item-column", "product", "--out", "out")
    assert code == 1
    assert "no column 'product' for the item; it has 'user_id', 'item_id', 'timestamp'" in err
    code, _, err = gsrec("data", "describe", small_log, "--user-column", "item_id")
    assert code == 1
    assert "none of its other columns looks like the item: 'user_id', 'timestamp'. Name it" in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "unknown setting 'epoch'. Did you mean 'epochs'? There are: activation,"),
        ("training.epoch=3", "unknown setting 'training.epoch'. Did you mean 'epochs'? There are: objective,"),
        ("trainig.epochs=3", "unknown setting 'trainig'. Did you mean 'training'? There are: data, model, training"),
        ("epochs", "a setting must be key=value, found 'epochs'"),
        ("epochs=many", "training.epochs, found 'many': input should be a valid integer"),
        ('epochs="3"', "training.epochs, found '3': input should be a valid integer"),
        ("epochs=true", "training.epochs, found True: input should be a valid integer"),
        ("epochs=2.5", "training.epochs, found 2.5: input should be a valid integer"),
        ("epochs=0", "training.epochs, found 0: input should be greater than or equal to 1"),
        ("dropout=1", "model.dropout, found 1: input should be less than 1"),
        ("learning_rate=nan", "training.learning_rate, found nan: input should be"),
        ("window=0", "model.window, found 0: input should be greater than or equal to 1, or input should be 'all'"),
        ("cell=gro", "model.cell, found 'gro': input should be 'gru', 'lstm' or 'rnn'"),
        ("days=3", "unknown setting 'model.days'. There are: cell, dropout"),
        ("model.name=sasrec", "the settings are for the model 'sasrec', and the model of this run is 'gsrec'"),
        ("num_heads=7", "embedding_size must be a multiple of num_heads, found 64 and 7"),
    ],
)
def test_a_bad_setting_is_wrong_use(gsrec: Gsrec, small_log: Path, folder: Path, setting: str, message: str) -> None:
    code, out, err = gsrec("train", small_log, "--set", setting, "--out", "out", "--quiet")
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("gsrec: ")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[training]\nepoch = 3\n", "unknown setting 'training.epoch'. Did you mean 'epochs'?"),
        ("[trainig]\nepochs = 3\n", "unknown setting 'trainig'. Did you mean 'training'? There are: data, model"),
        ("epochs = 3\n", "config.toml: 'epochs' must stand in one of the sections [data], [model], [training]"),
        ("[training\nepochs = 3\n", "cannot read the configuration config.toml: Expected ']'"),
        ("[training]\nepochs = '3'\n", "training.epochs, found '3': input should be a valid integer"),
        ("[model]\nname = 'sasrec'\n", "the settings are for the model 'sasrec'"),
        ("\xff", "cannot read the configuration config.toml: "),
        (None, "cannot read the configuration config.toml: "),
    ],
    ids=["key", "section", "loose key", "syntax", "type", "other model", "bytes", "no file"],
)
def test_a_bad_configuration_is_wrong_use(gsrec: Gsrec, small_log: Path, content: str | None, message: str) -> None:
    if content is not None:
        Path("config.toml").write_text(content, encoding="latin-1")
    code, out, err = gsrec("train", small_log, "--config", "config.toml", "--out", "out")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "--model", "gru5rec"),
            "unknown model 'gru5rec'. Did you mean 'gru4rec'? There are: poprec,",
        ),
        (("train", "--preset", "thesys"), "unknown preset of gsrec 'thesys'. Did you mean 'thesis'?"),
        (("train", "--min-user-interactions", "0"), "data.min_user_interactions, found 0: input should be greater"),
        (("train", "--seed", "-1"), "Invalid value for '--seed'"),
        (("compare", "--models", "gru5rec"), "unknown model 'gru5rec'. Did you mean 'gru4rec'?"),
        (("compare", "--models", ""), "unknown model ''. There are: poprec"),
        (("compare", "--models", "gsrec:nothing"), "unknown preset of gsrec 'nothing'"),
        (("compare", "--models", "poprec,poprec"), "poprec:default is twice among the models"),
        (("compare", "--models", "poprec", "--set", "window=3"), "unknown setting of these models 'window'"),
        (("compare", "--models", "poprec", "--candidates", "half"), "candidates must be full, popularity:N or"),
        (("compare", "--models", "poprec", "--seeds", "0"), "Invalid value for '--seeds'"),
        (("compare",), "Missing option '--models'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_known_before_anything_is_done(
    gsrec: Gsrec, small_log: Path, folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = gsrec(arguments[0], small_log, *arguments[1:], "--out", "out")
    assert (code, out) == (2, "")
    assert message in err
    assert "note:" not in err
    assert not list(folder.iterdir())


def test_the_thesis_checks_its_options_first(gsrec: Gsrec, folder: Path) -> None:
    assert "candidates must be full" in gsrec("thesis", "--out", "out", "--candidates", "some")[2]
    assert "unknown setting 'epochz'" in gsrec("thesis", "--out", "out", "--set", "epochz=1")[2]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give one of --history ID,ID,..., --users FILE and --everybody LOG"),
        (("--history", "i1", "--users", "users.txt"), 2, "give one of --history ID,ID,..."),
        (("--history", ""), 2, "--history names no item: expected item ids as ID,ID,..."),
        (("--history", " , "), 2, "--history names no item"),
        (("--history", "\r"), 2, "--history names no item"),
        (("--history", "i" * 200_000), 2, "--history cannot be read as ids with commas between them: field larger"),
        (("--history", "i1", "-k", "0"), 2, "Invalid value for '-k'"),
        (("--history", "i1", "-k", "ten"), 2, "Invalid value for '-k'"),
        (("--everybody", "log.csv", "--users", "users.txt"), 2, "give one of --history ID,ID,..."),
        (("--everybody", "log.csv", "--out", "a.csv", "--index", "i"), 2, "--index means nothing with --everybody"),
        (("--history", "i1", "--out", "next.csv"), 2, "--out means nothing with --history. Leave it out."),
        (("--history", "i1", "--log", "log.csv"), 2, "--log means nothing with --history"),
        (("--users", "users.txt", "--item-column", "i"), 2, "--item-column means nothing with --users without --log"),
        (("--everybody", "users.txt"), 2, "say with --out where the recommendations for everybody go"),
        (("--history", "i1", "--only", "x"), 2, "`only` names no item that the model knows"),
        (("--users", "nothing.txt"), 1, "cannot read the users in nothing.txt"),
        (("--users", "."), 1, "cannot read the users in ."),
        (("--users", "empty.txt"), 1, "empty.txt names no user: expected user ids, one a line"),
        (("--users", "users.txt"), 1, "users.txt, line 3: small has no user 'u99', or one with too many inter"),
    ],
)
def test_a_bad_request_for_recommendations(
    gsrec: Gsrec, run_folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    Path("empty.txt").write_text("\n \n", encoding="utf-8")
    Path("users.txt").write_text("u1\n\nu99\n", encoding="utf-8")
    found, out, err = gsrec("recommend", run_folder, *arguments)
    assert (found, out) == (code, "")
    assert message in err


def test_unknown_items_are_counted_and_told(gsrec: Gsrec, run_folder: Path) -> None:
    code, _, err = gsrec("recommend", run_folder, "--history", "x,i1,y,i2", "-k", 3)
    assert (code, err) == (0, "note: items of the history that the model does not know, left out: 2 (x, y)\n")


def test_a_list_that_comes_out_short_is_told(gsrec: Gsrec, run_folder: Path) -> None:
    code, out, err = gsrec("recommend", run_folder, "--history", "i1,i2", "-k", 1000)
    assert (code, len(out.splitlines())) == (0, 2 + 10)
    assert err == "note: lists of fewer than 1,000 items, because no more are left: 1\n"
    everything = ",".join(f"i{item}" for item in range(12))
    code, out, err = gsrec("recommend", run_folder, "--history", everything)
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == "note: lists of fewer than 10 items, because no more are left: 1\n"


def test_integer_ids_must_be_integers(gsrec: Gsrec) -> None:
    Path("log.csv").write_text(histories(6, 5), encoding="utf-8")
    assert gsrec("train", "log.csv", "--model", "poprec", "--out", "out")[0] == 0
    code, _, err = gsrec("recommend", "out", "--history", "1,two")
    assert (code, err) == (1, "gsrec: item ids of this log are integers, found 'two'\n")
    assert gsrec("recommend", "out", "--history", 10**30)[2].splitlines() == [
        f"note: items of the history that the model does not know, left out: 1 ({10**30})",
        "note: histories of which the model knows no item, answered by popularity: 1",
        "note: lists of fewer than 10 items, because no more are left: 1",
    ]


@pytest.mark.parametrize("candidates", ["half", "popularity:0", "uniform", "popularity:-3"])
def test_unknown_candidates(gsrec: Gsrec, run_folder: Path, candidates: str) -> None:
    code, out, err = gsrec("evaluate", run_folder, "--candidates", candidates)
    assert (code, out) == (2, "")
    assert (
        f"candidates must be full, popularity:N or uniform:N with N a number of at least 1, found '{candidates}'" in err
    )
    assert not list(run_folder.glob("test-*"))
