"""Every command as a user types it: what it says on stdout, what on stderr, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gsrec import InteractionLog, config_for, open_log, open_run, train
from gsrec.data.splits import Split

Gsrec = Callable[..., tuple[int, str, str]]

SIZES = ("--set", "epochs=2", "--set", "embedding_size=8", "--set", "recurrent_size=8", "--set", "patience=0")


def test_describe_says_what_a_log_is_like(gsrec: Gsrec, small_log: Path) -> None:
    code, out, err = gsrec("data", "describe", small_log)
    assert code == 0
    assert out.splitlines()[0] == "small"
    facts = {line[:25].strip(): line[25:].strip() for line in out.splitlines()[1:]}
    assert (facts["num users"], facts["num items"], facts["num interactions"]) == ("30", "12", "180")
    assert facts["first time"] == "1970-01-01T00:00:00Z"
    assert err == "note: columns guessed: user 'user_id', item 'item_id', time 'timestamp'\n"


def test_describe_filters(gsrec: Gsrec) -> None:
    Path("log.csv").write_text("user,item\n" + "a,1\n" * 3 + "b,2\n", encoding="utf-8")
    code, out, _ = gsrec("data", "describe", "log.csv", "--min-user-interactions", 2, "--json")
    record = json.loads(out)
    assert (code, record["num_users"], record["num_interactions"]) == (0, 1, 3)
    assert "dropped interactions of users with fewer than 2" in " ".join(record["notes"])


def test_describe_takes_the_columns_named(gsrec: Gsrec) -> None:
    Path("log.csv").write_text("who,what,when\na,x,1\na,y,2\n", encoding="utf-8")
    columns = ("--user-column", "who", "--item-column", "what", "--time-column", "when")
    code, out, err = gsrec("data", "describe", "log.csv", *columns, "--json")
    assert (code, json.loads(out)["num_items"], err) == (0, 2, "")


def test_fetch_says_where_a_source_lies_and_on_what_terms(
    gsrec: Gsrec, small_log: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ml-1m.csv").write_bytes(small_log.read_bytes())
    monkeypatch.setenv("GSREC_DATA", str(folder))
    code, out, err = gsrec("data", "fetch", "ml-1m")
    assert (code, out) == (0, f"{folder / 'ml-1m.csv'}\n")
    assert err.startswith("note: MovieLens data by GroupLens")
    code, out, err = gsrec("data", "fetch", "ml-1m", "--json")
    assert (code, json.loads(out)["path"], err) == (0, str(folder / "ml-1m.csv"), "")
    assert gsrec("data", "fetch", "ml-1m", "--quiet")[2] == ""


def test_plan_tells_what_a_training_takes(gsrec: Gsrec, small_log: Path, folder: Path) -> None:
    code, out, err = gsrec("plan", small_log, "--model", "sasrec", "--set", "epochs=200", "--set", "embedding_size=8")
    assert code == 0
    assert out.splitlines()[0] == "sasrec on small"
    facts = {line[:36].strip(): line[36:].strip() for line in out.splitlines()[1:]}
    assert facts["steps an epoch"] == "2"
    assert facts["memory at its peak"].endswith("GB")
    assert {
        "before the first step",
        "an epoch",
        "a validation",
        "200 epochs, without early stopping",
        "precision of products",
    } <= set(facts)
    assert "note: trying the largest batches" in err
    code, out, err = gsrec("plan", small_log, "--set", "embedding_size=8", "--set", "epochs=3", "--json", "--quiet")
    record = json.loads(out)
    assert (code, err, record["model"], record["epochs"]) == (0, "", "gsrec", 3)
    each = record["seconds_an_epoch"] + record["seconds_a_validation"]
    assert record["seconds_at_most"] == pytest.approx(record["seconds_to_begin"] + 3 * each)
    assert list(folder.iterdir()) == []


def test_plan_says_what_to_change(gsrec: Gsrec, small_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.experiment.plan.available_bytes", lambda: 1)
    code, out, _ = gsrec("plan", small_log, "--set", "embedding_size=8")
    assert code == 0
    assert "an epoch" in out
    assert "does not fit; try --set batch_size=8: half the events a step" in out
    assert json.loads(gsrec("plan", small_log, "--set", "embedding_size=8", "--json")[1])["fits"] is False


def test_tune_tells_trials_and_what_train_can_read(gsrec: Gsrec, small_log: Path, folder: Path) -> None:
    fixed = ("--set", "epochs=1", "--set", "embedding_size=8")
    code, out, err = gsrec("tune", small_log, "--model", "sasrec", "--trials", 2, *fixed, "--out", "study")
    assert code == 0
    assert out.splitlines()[0] == "sasrec on small, best first"
    assert out.splitlines()[-1] == "written: study/best.toml, study/trials.json"
    assert [line.split(":")[0] for line in err.splitlines() if line.startswith("trial")] == [
        "trial 0 complete",
        "trial 1 complete",
    ]
    assert (folder / "study" / "study.png").exists()
    code, out, err = gsrec(
        "tune", small_log, "--model", "sasrec", *fixed, "--trials", 2, "--out", "study", "--json", "--quiet"
    )
    assert (code, err, len(json.loads(out)["trials"])) == (0, "", 2)
    assert gsrec("train", small_log, "--model", "sasrec", "--config", "study/best.toml", "--out", "run")[0] == 0


def test_train_tells_epochs_and_writes_a_run(gsrec: Gsrec, small_log: Path, folder: Path) -> None:
    code, out, err = gsrec("train", small_log, "--model", "gru4rec", *SIZES, "--out", "run")
    assert code == 0
    assert out.splitlines()[0] == "gru4rec on small, written to run"
    assert out.splitlines()[1].split() == ["metric", "mean", "95%", "interval"]
    assert [line.split()[0] for line in out.splitlines()[2:7]] == ["HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR"]
    assert "30 users, candidates: full, seen items left out, ties against the model" in out
    assert "Audit, of the targets: 96.7% older than some training event" in out
    lines = err.splitlines()
    assert lines[0].startswith("note: columns guessed")
    assert lines[1].startswith("note: 33% of the validation targets are of items that their users had before")
    assert lines[2] == "note: settings that suit a log of these sizes: averaging=0.98, batch_size=16"
    assert lines[3].startswith("note: products in ")
    assert [line.split(",")[0] for line in lines[4:]] == ["gru4rec: epoch 1", "gru4rec: epoch 2"]
    found = sorted(str(path.relative_to("run")) for path in Path("run").rglob("*") if path.is_file())
    weights = ["bundle/weights.safetensors", "bundle/popularity.safetensors"]
    told = ["bundle/manifest.json", "bundle/vocabulary.json", "history.jsonl", "metrics.json", "run.json"]
    assert found == sorted([*weights, *told])


def test_python_and_the_command_line_train_the_same_by_default(gsrec: Gsrec, folder: Path) -> None:
    rows = (f"{user},{(user * 7 + event * 31) % 5_000},{event}" for user in range(2_500) for event in range(10))
    Path("sparse.csv").write_text("\n".join(["user,item,time", *rows]), encoding="utf-8")
    settings = ("epochs=1", "embedding_size=4", "recurrent_size=4", "num_heads=1")
    assert gsrec("train", "sparse.csv", *(part for one in settings for part in ("--set", one)), "--out", "run")[0] == 0
    config = config_for("sparse.csv", settings=settings)
    assert open_run(folder / "run").record.config == config
    assert config.model.model_dump()["temperature"] == 0.07


def test_train_takes_least_interactions_seed_and_preset(gsrec: Gsrec, small_log: Path) -> None:
    least = ("--min-user-interactions", 5, "--min-item-interactions", 2)
    code, out, _ = gsrec(
        "train", small_log, "--model", "poprec", "--preset", "last-month", "--seed", 7, *least, "--out", "run", "--json"
    )
    record = json.loads(out)
    assert (code, record["label"], record["seed"], record["out"]) == (0, "poprec:last-month", 7, "run")
    assert record["config"]["model"] == {"name": "poprec", "days": 30.0}
    assert record["config"]["data"]["min_user_interactions"] == 5
    assert record["config"]["data"]["min_item_interactions"] == 2


def test_evaluate_holds_what_was_promised(gsrec: Gsrec, run_folder: Path) -> None:
    code, out, err = gsrec("evaluate", run_folder, "--json")
    assert (code, out.count("\n"), err) == (0, 1, "")
    record = json.loads(out)
    assert record["model"] == "gru4rec"
    assert len(record["data"]["fingerprint"]) == 64
    sizes = {"name": "small", "num_users": 30, "num_items": 12, "num_interactions": 180}
    assert sizes.items() <= record["data"].items()
    protocol = {"part": "test", "candidates": "full", "filter_seen": True, "ties": "against the model"}
    assert protocol.items() <= record["protocol"].items()
    assert record["num_users_evaluated"] == 30
    assert {"HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR"} <= set(record["metrics"])
    assert {"leakage", "cold", "time_ties", "repeats"} <= set(record["audit"])
    assert json.loads((run_folder / "test-full.json").read_text(encoding="utf-8")) == record


def test_evaluate_in_words(gsrec: Gsrec, run_folder: Path) -> None:
    code, out, err = gsrec("evaluate", run_folder, "--split", "validation", "--candidates", "uniform:5", "--keep-seen")
    assert (code, err) == (0, "")
    assert out.startswith("gru4rec on small\n")
    assert "validation part of leave-one-out, 30 users, candidates: uniform:5, seen items are candidates" in out


def test_what_cannot_be_written_is_told_before_anything_is_computed(gsrec: Gsrec, run_folder: Path) -> None:
    for name in (run_folder / "test-full.json", Path("page.html"), Path("next.csv")):
        name.mkdir()
    for command in (
        ("evaluate", run_folder),
        ("drift", run_folder, "no such log", "--out", "page.html"),
        ("recommend", run_folder, "--everybody", "no such log", "--out", "next.csv"),
    ):
        code, out, err = gsrec(*command)
        assert (code, out, "it is a folder" in err) == (1, "", True)


def test_the_log_is_not_overwritten_by_what_comes_of_it(
    gsrec: Gsrec, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path("log.csv").write_text("user_id,item_id,timestamp\nu0,i1,9\n", encoding="utf-8")
    monkeypatch.setenv("GSREC_DATA", ".")
    code, _, err = gsrec("recommend", run_folder, "--everybody", "log", "--out", "log.csv")
    assert (code, "log.csv is the log itself" in err) == (2, True)
    Path("page.html").symlink_to("log.csv")
    for command in (("recommend", run_folder, "--everybody", "log.csv"), ("drift", run_folder, "log.csv")):
        out = "log.csv" if command[0] == "recommend" else "page.html"
        code, _, err = gsrec(*command, "--out", out)
        assert (code, "is the log itself" in err) == (2, True)
    assert Path("log.csv").stat().st_size == before


def test_users_with_nothing_left_are_told(gsrec: Gsrec, run_folder: Path) -> None:
    rows = [f"all,i{item},{item}" for item in range(12)] + [f"most,i{item},{item}" for item in range(10)]
    Path("log.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows, ""]), encoding="utf-8")
    code, out, err = gsrec("recommend", run_folder, "--everybody", "log.csv", "-k", 3, "--out", "next.csv")
    assert (code, out) == (0, "written: next.csv, 2 rows for 1 users\n")
    assert "note: users for whom nothing is left to recommend, who have no rows: 1\n" in err
    assert "note: lists of fewer than 3 items, because no more are left: 1\n" in err


def test_evaluations_under_other_protocols_do_not_replace_each_other(gsrec: Gsrec, run_folder: Path) -> None:
    for options in ((), ("--keep-seen",), ("--seed", 3), ("--split", "validation"), ("--candidates", "popularity:5")):
        assert gsrec("evaluate", run_folder, *options)[0] == 0
    written = ["test-full", "test-full-keep-seen", "test-full-seed3", "test-popularity-5", "validation-full"]
    assert sorted(path.stem for path in run_folder.glob("*-*.json")) == written


def test_recommend_in_words(gsrec: Gsrec, run_folder: Path) -> None:
    code, out, err = gsrec("recommend", run_folder, "--history", "i1, i2,i3", "-k", 4)
    assert (code, err) == (0, "")
    title, header, *rows = out.splitlines()
    assert (title, header.split()) == ("next", ["rank", "item_id", "score"])
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]
    assert not {row.split()[1] for row in rows} & {"i1", "i2", "i3"}


def test_recommend_as_json(gsrec: Gsrec, run_folder: Path) -> None:
    code, out, err = gsrec("recommend", run_folder, "--history", "i1,i2,nothing", "-k", 3, "--json")
    answer = json.loads(out)
    assert (code, err, answer["k"], answer["num_unknown_items"]) == (0, "", 3, 1)
    [only] = answer["recommendations"]
    assert only["user_id"] is None
    assert len(only["items"]) == len(only["scores"]) == 3
    assert only["scores"] == sorted(only["scores"], reverse=True)


def test_seen_items_are_recommended_when_asked_for(gsrec: Gsrec, run_folder: Path) -> None:
    def num_items(*options: str) -> int:
        out = gsrec("recommend", run_folder, "--history", "i1,i2", "-k", 12, "--json", *options)[1]
        return len(json.loads(out)["recommendations"][0]["items"])

    assert (num_items(), num_items("--keep-seen")) == (10, 12)


def test_recommend_answers_every_line_of_the_users(gsrec: Gsrec, run_folder: Path) -> None:
    Path("users.txt").write_text("u3\n\nu1 \nu3\n", encoding="utf-8")
    code, out, _ = gsrec("recommend", run_folder, "--users", "users.txt", "-k", 2, "--json")
    answers = json.loads(out)["recommendations"]
    assert code == 0
    assert [answer["user_id"] for answer in answers] == ["u3", "u1", "u3"]
    assert answers[0] == answers[2]
    code, out, _ = gsrec("recommend", run_folder, "--users", "users.txt", "-k", 2)
    assert [line for line in out.splitlines() if "user" in line] == [
        f"next for user {user}" for user in ("u3", "u1", "u3")
    ]


def test_users_too_short_to_be_trained_on_are_answered_all_the_same(
    gsrec: Gsrec, folder: Path, small_log: Path
) -> None:
    short = "brief,i1,5\nbrief,i2,6\n"
    Path("log.csv").write_text(small_log.read_text(encoding="utf-8") + short, encoding="utf-8")
    assert gsrec("train", "log.csv", "--model", "poprec", "--out", "run")[0] == 0
    Path("users.txt").write_text("u1\nbrief\n", encoding="utf-8")
    code, out, _ = gsrec("recommend", "run", "--users", "users.txt", "--json")
    by_user = json.loads(out)["recommendations"][1]
    assert code == 0
    assert by_user.pop("user_id") == "brief"
    by_history = json.loads(gsrec("recommend", "run", "--history", "i1,i2", "--json")[1])["recommendations"][0]
    assert {"user_id": None, **by_user} == by_history


def test_users_of_a_run_on_a_split_of_ones_own_are_answered_as_any(gsrec: Gsrec, folder: Path, small_log: Path) -> None:
    sequences = open_log(str(small_log)).to_sequences()
    ends = sequences.offsets[1:]
    config = config_for(small_log, "gru4rec", settings=["epochs=1", "embedding_size=8", "recurrent_size=8"])
    train(small_log, config, folder / "run", split=Split(sequences, ends - 4, ends - 2, name="own"))
    Path("users.txt").write_text("u3\n", encoding="utf-8")
    code, out, _ = gsrec("recommend", "run", "--users", "users.txt", "--json")
    assert code == 0
    (answer,) = json.loads(out)["recommendations"]
    history = pl.read_csv(small_log).filter(pl.col("user_id") == "u3")["item_id"]
    _, expected, _ = gsrec("recommend", "run", "--history", ",".join(history), "--json")
    assert answer["items"] == json.loads(expected)["recommendations"][0]["items"]
    code, _, err = gsrec("evaluate", "run")
    assert code == 1
    assert "cut in another way than when run was trained" in err


def test_a_bundle_by_itself_answers_the_users_of_a_log_that_is_named(
    gsrec: Gsrec, run_folder: Path, small_log: Path
) -> None:
    Path("users.txt").write_text("\ufeffu3\nu1\n", encoding="utf-8")
    assert gsrec("pack", run_folder, "--out", "shop.gsrec")[0] == 0
    ask = ("recommend", "shop.gsrec", "--users", "users.txt", "--json")
    code, _, err = gsrec(*ask)
    assert code == 2
    assert "shop.gsrec is a model by itself, not a run folder: say with --log whose users are meant" in err
    of_run = gsrec("recommend", run_folder, "--users", "users.txt", "--json")[1]
    assert gsrec(*ask, "--log", small_log)[1] == of_run
    renamed = small_log.read_text(encoding="utf-8").replace("user_id,item_id", "who,what")
    Path("renamed.csv").write_text(renamed, encoding="utf-8")
    columns = ("--user-column", "who", "--item-column", "what")
    assert gsrec(*ask, "--log", "renamed.csv", *columns)[1] == of_run


def test_a_run_answers_the_users_of_a_log_that_has_grown(gsrec: Gsrec, run_folder: Path, small_log: Path) -> None:
    grown = small_log.read_text(encoding="utf-8").replace("item_id", "what", 1) + "u1,nothing,900\nann,i2,901\n"
    Path("grown.csv").write_text(grown, encoding="utf-8")
    Path("users.txt").write_text("u1\nann\n", encoding="utf-8")
    log = ("--log", "grown.csv", "--item-column", "what")
    code, out, _ = gsrec("recommend", run_folder, "--users", "users.txt", *log, "--json")
    of_u1, of_ann = json.loads(out)["recommendations"]
    assert (code, of_ann["items"]) == (0, _next(gsrec, run_folder, "i2"))
    assert [of_u1["num_unknown"], of_ann["num_unknown"]] == [1, 0]
    Path("users.txt").write_text("u1\n", encoding="utf-8")
    [before] = json.loads(gsrec("recommend", run_folder, "--users", "users.txt", "--json")[1])["recommendations"]
    assert before["items"] == of_u1["items"]


def _next(gsrec: Gsrec, run: Path, history: str) -> list[str]:
    [answer] = json.loads(gsrec("recommend", run, "--history", history, "--json")[1])["recommendations"]
    items: list[str] = answer["items"]
    return items


def test_of_a_runs_columns_those_not_named_again_still_hold(gsrec: Gsrec, small_log: Path) -> None:
    text = small_log.read_text(encoding="utf-8").replace("user_id,item_id,timestamp", "who,what,when")
    Path("named.csv").write_text(text, encoding="utf-8")
    named = ("--user-column", "who", "--item-column", "what", "--time-column", "when")
    assert gsrec("train", "named.csv", "--model", "poprec", *named, "--out", "named")[0] == 0
    assert gsrec("recommend", "named", "--everybody", "named.csv", *named[-2:], "--out", "next.csv")[0] == 0


def test_a_page_takes_no_other_files_place(gsrec: Gsrec, run_folder: Path, small_log: Path) -> None:
    assert gsrec("compare", small_log, "--models", "poprec", "--out", "results")[0] == 0
    before = (run_folder / "run.json").read_bytes()
    for command in (("drift", run_folder, small_log), ("report", "results")):
        code, _, err = gsrec(*command, "--out", run_folder / "run.json")
        assert (code, "what has another name could be lost" in err) == (2, True)
    assert (run_folder / "run.json").read_bytes() == before


def test_a_comparison_is_no_model(gsrec: Gsrec, small_log: Path) -> None:
    assert gsrec("compare", small_log, "--models", "poprec", "--out", "results")[0] == 0
    code, _, err = gsrec("recommend", "results", "--history", "i1")
    assert (code, "results is a comparison of several models. Name the folder of one, in results/runs" in err) == (
        1,
        True,
    )


def test_a_runs_own_model_is_not_overwritten(gsrec: Gsrec, run_folder: Path) -> None:
    Path("link").symlink_to(run_folder / "bundle")
    for out in (run_folder / "bundle", "link"):
        code, _, err = gsrec("pack", run_folder, "--out", out)
        assert (code, "is the model that" in err) == (2, True)
    code, _, err = gsrec("pack", run_folder, "--out", ".")
    assert (code, err) == (1, "gsrec: . gives a bundle no name. Give one, such as model.gsrec.\n")


def test_what_was_not_finished_is_said_to_be_so(gsrec: Gsrec, run_folder: Path) -> None:
    (run_folder / "checkpoints").mkdir(exist_ok=True)
    (run_folder / "run.json").unlink()
    code, _, err = gsrec("recommend", run_folder, "--history", "i1")
    assert code == 1
    assert "holds a training that was not finished. Resume it with" in err


def test_a_table_has_a_model_with_one_kind_of_settings(gsrec: Gsrec, small_log: Path) -> None:
    given = ("compare", small_log, "--models", "gru4rec", *SIZES, "--out", "results")
    assert gsrec(*given)[0] == 0
    code, _, err = gsrec(*given, "--set", "dropout=0.4", "--seed", 2)
    assert code == 2
    assert "holds gru4rec with other settings: model.dropout was 0.2 and is now 0.4. Give another folder" in err
    assert gsrec(*given, "--seed", 2)[0] == 0
    assert len(Path("results/results.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_the_table_of_a_folder_has_all_that_was_compared_there(gsrec: Gsrec, small_log: Path) -> None:
    compare = ("compare", small_log, "--out", "results", "--models")
    assert gsrec(*compare, "poprec")[0] == 0
    told = gsrec(*compare, "gru4rec,poprec", *SIZES, "--set", "epochs=2")[1]  # which mean nothing to poprec
    models = {row.split()[0] for row in told.splitlines() if row.strip()}
    assert {"gru4rec", "poprec"} <= models
    assert gsrec(*compare, "gru4rec", *SIZES, "--set", "epochs=2")[0] == 0
    table = Path("results/table.md").read_text(encoding="utf-8")
    assert "| gru4rec" in table
    assert "| poprec" in table
    assert len(Path("results/results.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_what_is_there_is_not_written_over(gsrec: Gsrec, small_log: Path, run_folder: Path) -> None:
    assert gsrec("compare", small_log, "--models", "poprec", "--out", "results")[0] == 0
    recorded = Path("results/results.jsonl").read_bytes()
    for given in (("--out", "results/table.md"), ("--out", "page.md", "--fill", "results/table.md")):
        code, _, err = gsrec("report", "results", *given)
        assert (code, "is a part of a comparison, which would be lost" in err) == (2, True)
    assert Path("results/results.jsonl").read_bytes() == recorded
    assert not Path("page.md").exists()
    text = "# Mine\n<!-- results:start -->\n<!-- results:end -->\n"
    Path("mine.md").write_text(text, encoding="utf-8")
    code, _, err = gsrec("report", "results", "--out", "mine.md", "--fill", "./mine.md")
    assert (code, "is to be written and to be filled, and would be lost" in err) == (2, True)
    assert Path("mine.md").read_text(encoding="utf-8") == text
    for command in (("export", run_folder), ("index", run_folder, small_log)):
        for place in (run_folder, run_folder / "bundle"):
            code, _, err = gsrec(*command, "--out", place)
            assert (code, "which does not belong there and could be written over" in err) == (2, True)


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("pack", "model.gsrec"),
        ("pack", "model"),
        ("recommend", "next.csv"),
        ("export", "onnx"),
        ("refresh", "new.gsrec"),
    ],
)
def test_what_takes_the_place_of_something_says_so(
    gsrec: Gsrec, small_log: Path, run_folder: Path, command: str, out: str
) -> None:
    of_log = {"recommend": ("--everybody", small_log), "refresh": (small_log,)}.get(command, ())
    told = f"note: {out} is there already, and is replaced"
    assert told not in gsrec(command, run_folder, *of_log, "--out", out)[2]
    if command == "refresh":
        assert gsrec("pack", run_folder, "--out", out)[0] == 0
    assert told in gsrec(command, run_folder, *of_log, "--out", out)[2]


def test_what_is_resumed_where_there_is_nothing_or_all_is_done(gsrec: Gsrec, small_log: Path) -> None:
    command = ("train", small_log, "--model", "poprec", "--out", "run", "--resume")
    assert "note: no training in run to resume: it begins at the start\n" in gsrec(*command)[2]
    code, _, err = gsrec(*command)
    assert (code, "note: the training in run is done: nothing is left to resume\n" in err) == (0, True)


def test_presets_that_cut_the_log_otherwise_are_refused_before_a_training(gsrec: Gsrec, small_log: Path) -> None:
    Path("presets.toml").write_text('[late.data]\nsplit = "temporal"\n', encoding="utf-8")
    given = ("--models", "poprec,poprec:late", "--presets", "presets.toml", "--out", "results")
    code, _, err = gsrec("compare", small_log, *given)
    assert (code, "cannot stand in one table" in err) == (2, True)
    assert not Path("results").exists()


@pytest.mark.parametrize("out", ["next.parquet", "next.csv"])
def test_recommend_for_everybody_in_a_log(gsrec: Gsrec, run_folder: Path, small_log: Path, out: str) -> None:
    more = small_log.read_text(encoding="utf-8") + "new,i2,1\nnew,nothing,2\nnobody,nothing,3\n"
    Path("log.csv").write_text(more, encoding="utf-8")
    code, told, err = gsrec("recommend", run_folder, "--everybody", "log.csv", "-k", 3, "--out", out)
    assert (code, told) == (0, f"written: {out}, 93 rows for 31 users\n")
    assert "note: dropped interactions with unknown items: 2" in err
    assert "note: users of whom the model knows no item, who have no rows: 1" in err
    frame = pl.read_parquet(out) if out.endswith("parquet") else pl.read_csv(out)
    assert frame.filter(pl.col("user_id") == "new")["rank"].to_list() == [1, 2, 3]
    answer = json.loads(gsrec("recommend", run_folder, "--everybody", "log.csv", "--out", out, "--json")[1])
    assert (answer["users"], answer["k"]) == (31, 10)
    gsrec("recommend", run_folder, "--everybody", "log.csv", "--out", out, "--only", "i1,i2,i3", "--exclude", "i2")
    frame = pl.read_parquet(out) if out.endswith("parquet") else pl.read_csv(out)
    assert set(frame["item_id"]) == {"i1", "i3"}


def test_recommend_with_rules(gsrec: Gsrec, run_folder: Path) -> None:
    def items(*options: str) -> list[str]:
        out = gsrec("recommend", run_folder, "--history", "i1,i2", "--json", *options)[1]
        return list(json.loads(out)["recommendations"][0]["items"])

    best = items()
    assert items("--exclude", best[0]) == best[1:]
    assert items("--exclude", f"{best[0]}, {best[1]}") == best[2:]
    assert items("--only", f'"{best[3]}",{best[1]}') == [best[1], best[3]]


def test_explain(gsrec: Gsrec, run_folder: Path) -> None:
    best = json.loads(gsrec("recommend", run_folder, "--history", "i1,i2", "--json")[1])["recommendations"][0]
    told = json.loads(gsrec("explain", run_folder, "--history", "i1,i2", "--json")[1])
    assert told["item_id"] == best["items"][0]
    assert told["score"] == pytest.approx(best["scores"][0], abs=1e-5)
    assert [event["item_id"] for event in told["events"]] == ["i1", "i2"]
    code, out, _ = gsrec("explain", run_folder, "--history", "i1,i2", "--item", "i5")
    assert (code, out.splitlines()[0].startswith("item i5, score ")) == (0, True)
    assert gsrec("explain", run_folder, "--history", "i1", "--item", "nothing")[0] == 1
    everything = ",".join(f"i{item}" for item in range(12))
    code, _, err = gsrec("explain", run_folder, "--history", everything)
    assert (code, "the history holds every item" in err) == (2, True)


def test_explain_tells_the_parts_of_a_gsrec(gsrec: Gsrec, small_log: Path) -> None:
    assert gsrec("train", small_log, "--model", "gsrec", *SIZES, "--out", "run")[0] == 0
    out = gsrec("explain", "run", "--history", "i1,i2")[1]
    assert [line.split(":")[0] for line in out.splitlines()[-2:]] == ["through attention", "through recurrence"]


def test_inspect_and_pack(gsrec: Gsrec, run_folder: Path) -> None:
    told = json.loads(gsrec("inspect", run_folder, "--json")[1])
    assert (told["intact"], told["model"]["name"], told["data"]["name"]) == (True, "gru4rec", "small")
    assert 0 < told["metrics"]["NDCG@10"] < 1
    code, out, _ = gsrec("pack", run_folder, "--out", "small.gsrec")
    assert (code, out) == (0, "written: small.gsrec (gru4rec, 12 items)\n")
    for place in ("small.gsrec", run_folder / "bundle"):
        code, out, _ = gsrec("inspect", place)
        assert (code, out.splitlines()[-1]) == (0, "as it was saved")
    assert json.loads(gsrec("pack", "small.gsrec", "--out", "again", "--json")[1])["out"] == "again"
    asked = ("--history", "i1,i2", "--json")
    assert gsrec("recommend", "again", *asked) == gsrec("recommend", run_folder, *asked)
    Path("again/vocabulary.json").write_text("[]", encoding="utf-8")
    code, out, err = gsrec("inspect", "again")
    assert (code, "NOT as it was saved" in out) == (1, True)
    assert "vocabulary.json is missing or does not match its checksum" in err


def test_audit(gsrec: Gsrec, small_log: Path) -> None:
    code, out, _ = gsrec("audit", small_log, "--json")
    told = json.loads(out)
    assert (code, told["splits"][0]["split"], told["splits"][0]["targets"]) == (0, "leave-one-out", 30)
    assert set(told["splits"][0]["audit"]) == {"leakage", "cold", "time_ties", "repeats"}
    assert (told["splits"][1]["audit"]["leakage"], told["left_out"]) == (0, {})
    code, out, err = gsrec("audit", small_log, "--held-out", 50)
    assert "temporal" in out
    assert "note: last-50: every user of small is too short" in err


def test_an_audit_is_of_the_events_that_training_counts(gsrec: Gsrec) -> None:
    rows = [f"u{user},i{item},{item}" for user in range(3) for item in (1, 2, 3, 3, 4) for _ in range(2)]
    Path("log.csv").write_text("\n".join(["user_id,item_id,time", *rows]), encoding="utf-8")
    Path("counts.toml").write_text("[data]\ndrop_duplicates = true\n", encoding="utf-8")
    ways = ((), ("--set", "drop_duplicates=true"), ("--config", "counts.toml"))
    told = [json.loads(gsrec("audit", "log.csv", *given, "--json")[1]) for given in ways]
    assert [one["splits"][0]["audit"]["time_ties"] for one in told] == [1, 0, 0]
    code, _, err = gsrec("audit", "log.csv", "--set", "epochs=3")
    assert (code, "training.epochs has no effect" in err) == (2, True)


def test_verify_through_all_four_ways(gsrec: Gsrec, small_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gsrec("train", small_log, "--model", "gru4rec", *SIZES, "--out", "run")[0] == 0
    code, out, err = gsrec("verify", "run", small_log, "--json")
    told = json.loads(out)
    assert (code, told["holds"], told["moved"], told["left_out"]) == (0, True, 0, {})
    assert [verdict["name"] for verdict in told["verdicts"]] == [
        "recommender",
        "session",
        "ONNX",
        "ONNX, event by event",
        "HTTP",
    ]
    assert all(verdict["equal"] + verdict["near_ties"] == 30 for verdict in told["verdicts"])
    assert "note: asking HTTP" in err
    monkeypatch.setattr("gsrec.extras.find_spec", lambda name: None)
    code, out, _ = gsrec("verify", "run", small_log, "--targets", 5, "--quiet")
    assert code == 0
    assert "ONNX was left out: its extra is not installed" in out
    assert out.endswith("what is served is what was measured\n")
    named = small_log.read_text(encoding="utf-8").replace("user_id,item_id,timestamp", "who,what,when")
    Path("named.csv").write_text(named, encoding="utf-8")
    columns = ("--user-column", "who", "--item-column", "what", "--time-column", "when")
    again = gsrec("verify", "run", "named.csv", *columns, "--targets", 5, "--quiet")
    assert again == (0, out.replace("small", "named"), "")
    assert gsrec("recommend", "run", "--everybody", "named.csv", *columns, "--out", "next.csv")[0] == 0
    assert gsrec("train", "named.csv", *columns, "--model", "poprec", "--out", "named")[0] == 0
    assert gsrec("recommend", "named", "--everybody", "named.csv", "--out", "again.csv")[0] == 0
    assert gsrec("verify", "named", "named.csv", "--targets", 5)[0] == 0
    other = ("--set", "min_item_interactions=2")
    assert gsrec("train", small_log, "--model", "gru4rec", *SIZES, *other, "--out", "other")[0] == 0
    assert gsrec("verify", "other", "synthetic")[0] == 1


def test_compare_tells_runs_and_writes_a_report(gsrec: Gsrec, small_log: Path) -> None:
    models = ("--models", "poprec, gru4rec", "--seeds", 2, "--seed", 5)
    code, out, err = gsrec("compare", small_log, *models, *SIZES, "--out", "results")
    assert code == 0
    assert "30 users judged; candidates: the full catalogue" in out.replace("\n", " ")
    assert "written: results/table.md, results/comparison.json" in out
    assert "note: columns guessed" in err
    started = [line for line in err.splitlines() if line.startswith("run ")]
    assert started == [
        "run 1 of 4: poprec, seed 5",
        "run 2 of 4: gru4rec, seed 5",
        "run 3 of 4: poprec, seed 6",
        "run 4 of 4: gru4rec, seed 6",
    ]
    code, out, err = gsrec("compare", small_log, *models, *SIZES, "--out", "results", "--json")
    assert err.splitlines()[2:] == [
        "poprec, seed 5: recorded already",
        "gru4rec, seed 5: recorded already",
        "poprec, seed 6: recorded already",
        "gru4rec, seed 6: recorded already",
    ]
    assert [result["label"] for result in json.loads(out)["results"]] == ["poprec", "gru4rec"] * 2


def test_compare_opens_the_log_once(gsrec: Gsrec, small_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_and_count(log: str, **options: Any) -> InteractionLog:
        opened.append(log)
        return open_log(log, **options)

    monkeypatch.setattr("gsrec.experiment.prepare.open_log", open_and_count)
    assert gsrec("compare", small_log, "--models", "poprec", "--out", "results")[0] == 0
    assert opened == [str(small_log)]


def test_compare_without_a_plotting_library(gsrec: Gsrec, small_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.reporting.plots.plots_available", lambda: False)
    assert gsrec("compare", small_log, "--models", "poprec", "--out", "results")[0] == 0
    assert not list(Path("results").glob("*.png"))


PUBLISHED = '[[published]]\nmodel = "LRURec"\ndata = "small"\nmetrics = { "HR@10" = 0.9 }\nsource = "a paper"\n'


def test_report_puts_comparisons_on_a_page(gsrec: Gsrec, small_log: Path) -> None:
    gsrec("compare", small_log, "--models", "poprec", "--out", "results")
    code, out, err = gsrec("report", "results", "--out", "page.md")
    assert (code, out, err) == (0, "written: page.md\n", "")
    assert "small" in Path("page.md").read_text(encoding="utf-8")
    Path("readme.md").write_text("<!-- results:start -->\n<!-- results:end -->\n", encoding="utf-8")
    code, out, _ = gsrec("report", "results", "--out", "page.md", "--fill", "readme.md", "--json")
    assert (code, json.loads(out)) == (0, {"out": "page.md", "filled": "readme.md"})
    assert "poprec" in Path("readme.md").read_text(encoding="utf-8")
    Path("others.toml").write_text(PUBLISHED, encoding="utf-8")
    gsrec("report", "results", "--out", "page.md", "--fill", "readme.md", "--published", "others.toml")
    assert "0.9000 (LRURec)" in Path("readme.md").read_text(encoding="utf-8")
    assert "LRURec, published" in Path("page.md").read_text(encoding="utf-8")


def test_thesis_is_whole(gsrec: Gsrec, small_log: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "logs").mkdir()
    for name in ("ml-1m", "amazon-beauty-bert4rec"):
        (folder / "logs" / f"{name}.csv").write_bytes(small_log.read_bytes())
    monkeypatch.setenv("GSREC_DATA", str(folder / "logs"))
    monkeypatch.setattr("gsrec.experiment.thesis.plots_available", lambda: False)  # they take longer than the rest
    arguments = ("thesis", "--out", "thesis", "--small", "--candidates", "uniform:5", "--set", "epochs=1")
    code, out, err = gsrec(*arguments, "--json")
    assert (code, out.count("\n")) == (0, 1)
    assert err.count("run ") == 10
    record = json.loads(out)
    assert (record["out"], list(record["ours"])) == ("thesis", ["Beauty", "ML-1M"])
    assert set(record["ours"]["Beauty"]) == {"HR@10", "NDCG@5", "NDCG@10", "MRR"}
    assert "epochs=1" in record["cuts"]
    code, out, err = gsrec(*arguments, "--quiet")
    assert (code, err) == (0, "")
    assert out.endswith("written: thesis/thesis.md, thesis/thesis.json\n")
    assert "How well does GSRec perform" in out
    assert Path("thesis/thesis.md").read_text(encoding="utf-8").count("Table 5.1") >= 1
    assert sorted(path.name for path in Path("thesis").iterdir() if path.is_dir()) == [
        "amazon-beauty-bert4rec",
        "ml-1m",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "describe", "LOG"),
        ("train", "LOG", "--model", "gru4rec", *SIZES, "--out", "new"),
        ("train", "LOG", "--model", "poprec", "--out", "new"),
        ("evaluate", "run"),
        ("compare", "LOG", "--models", "poprec,gru4rec", *SIZES, "--out", "results"),
        ("recommend", "run", "--history", "i1,unheard of", "-k", "50"),
    ],
    ids=["describe", "train", "train a model that counts", "evaluate", "compare", "recommend"],
)
def test_quiet_and_json(gsrec: Gsrec, small_log: Path, run_folder: Path, arguments: tuple[str, ...]) -> None:
    given = [small_log if argument == "LOG" else argument for argument in arguments]
    code, out, err = gsrec(*given, "--quiet", "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert isinstance(json.loads(out), dict)
