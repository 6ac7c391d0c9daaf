"""A run: what its folder holds, that it opens again to the same numbers, and that the same seed makes the same run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gsrec.bundle import DataFacts
from gsrec.data.columns import Columns
from gsrec.data.sources import open_log
from gsrec.data.splits import Split, leave_one_out
from gsrec.errors import BundleError, ConfigError, DataError, StoppedError, TrainingError
from gsrec.evaluation.evaluator import Protocol
from gsrec.experiment.configure import run_config
from gsrec.experiment.folder import LogReference, claim, open_bundle, read_record
from gsrec.experiment.prepare import new_model, prepare
from gsrec.experiment.run import Run, is_begun, open_histories, open_run, running_commit, train, trained_run
from gsrec.experiment.verify import verify
from gsrec.models import MODELS
from gsrec.recommend.recommender import Recommender
from gsrec.training.course import Epoch, Listener, TrainingStep

TEST = Protocol("test")


@pytest.fixture(scope="module")
def settings(sizes: list[str]) -> dict[str, list[str]]:
    """For every model the sizes that it has."""
    models = dict.fromkeys(MODELS, sizes)
    of_attention = [size for size in sizes if not size.startswith("recurrent")]
    of_recurrence = [size for size in sizes if not size.startswith("num_heads")]
    return models | {"poprec": [], "gru4rec": of_recurrence, "sasrec": of_attention, "bert4rec": of_attention}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(small_log: str, settings: dict[str, list[str]], out: Path) -> dict[str, Run]:
    """A run of every model, each in the folder of its name."""
    return {name: train(small_log, run_config(name, settings=settings[name]), out / name) for name in MODELS}


@pytest.mark.parametrize("model", MODELS)
def test_a_run_opens_again_to_the_same_numbers(runs: dict[str, Run], out: Path, model: str) -> None:
    opened = open_run(out / model)
    assert opened.record == runs[model].record
    assert opened.evaluate(TEST).metrics == runs[model].evaluate(TEST).metrics
    assert opened.evaluate(TEST).ranks.tolist() == runs[model].evaluate(TEST).ranks.tolist()


def test_a_part_is_judged_as_the_run_was(runs: dict[str, Run]) -> None:
    run = runs["gsrec"]
    assert run.evaluate("validation").record() == run.validation.record()
    with pytest.raises(ConfigError, match="must be validation or test, found 'tset'"):
        run.evaluate("tset")  # type: ignore[arg-type]


def test_what_is_no_configuration_is_told(small_log: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a configuration, such as gsrec\.config_for gives, found 'gsrec'"):
        train(small_log, "gsrec", tmp_path / "run")  # type: ignore[arg-type]


def test_items_begin_at_their_neighbours_in_what_is_trained_on_alone(small_log: str, sizes: list[str]) -> None:
    noise, near = (run_config("gsrec", settings=[*sizes, f"item_start={start}"]) for start in ("noise", "neighbours"))
    split = prepare(LogReference(log=small_log), near)[0]
    items = split.sequences.items.copy()
    items[~split.train_mask()] = 1
    others_held_out = replace(split, sequences=replace(split.sequences, items=items))
    rows = [
        new_model(config, of).state_dict()["items.weight"]
        for config, of in ((near, split), (near, others_held_out), (noise, split))
    ]
    assert rows[0].equal(rows[1])
    assert not rows[0].equal(rows[2])
    assert new_model(run_config("poprec"), split).num_items == split.sequences.num_items


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_makes_the_same_run(
    runs: dict[str, Run], small_log: str, settings: dict[str, list[str]], tmp_path: Path, model: str
) -> None:
    again = train(small_log, run_config(model, settings=settings[model]), tmp_path / "again")
    assert all(
        here.equal(there)
        for here, there in zip(again.model.state_dict().values(), runs[model].model.state_dict().values(), strict=True)
    )
    assert again.evaluate(TEST).metrics == runs[model].evaluate(TEST).metrics


def test_what_a_killed_process_left_is_in_nobodys_way(
    small_log: str, settings: dict[str, list[str]], tmp_path: Path
) -> None:
    config, out = run_config("gsrec", settings=settings["gsrec"]), tmp_path / "run"

    def die(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small_log, config, out, listener=Listener(on_epoch=die))
    left = (".history.jsonl.{}.new", "checkpoints/.state-000001.json.{}.new", ".bundle.{}.old/manifest.json")
    for name in (one.format("0f3a91c7") for one in left):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("half", encoding="utf-8")
    train(small_log, config, out, resume=True)
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda identity: identity["config"]["model"].pop("temperature"), None),  # from before there was one
        (lambda identity: identity["config"]["model"].update(dropout=0.9), "config.model.dropout"),
        (lambda identity: identity.update(config=None), "is of another training: config"),
    ],
)
def test_a_training_of_an_earlier_version_is_gone_on_with(
    small_log: str,
    settings: dict[str, list[str]],
    runs: dict[str, Run],
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    message: str | None,
) -> None:
    config, out, steps = run_config("gsrec", settings=settings["gsrec"]), tmp_path / "run", count(1)
    with pytest.raises(StoppedError):
        train(small_log, config, out, stop=lambda: next(steps) == 2)
    for state in (out / "checkpoints").glob("state-*.json"):
        told = json.loads(state.read_text(encoding="utf-8"))
        change(told["identity"])
        state.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(TrainingError, match=message) if message else nullcontext():
        resumed = train(small_log, config, out, resume=True)
        assert resumed.evaluate(TEST).metrics == runs["gsrec"].evaluate(TEST).metrics


def test_where_no_checkpoint_is_whole_a_training_starts_over_as_if_it_had_never_begun(
    small_log: str, settings: dict[str, list[str]], runs: dict[str, Run], tmp_path: Path
) -> None:
    config, out, steps = run_config("gsrec", settings=settings["gsrec"]), tmp_path / "run", count(1)
    assert config.training.item_start == "neighbours"
    with pytest.raises(StoppedError):
        train(small_log, config, out, stop=lambda: next(steps) == 2)
    for state in (out / "checkpoints").glob("state-*.safetensors"):
        state.write_bytes(state.read_bytes()[:100])
    again = train(small_log, config, out, resume=True)
    assert [epoch.loss for epoch in again.record.history] == [one.loss for one in runs["gsrec"].record.history]


def test_another_seed_makes_another_run(
    runs: dict[str, Run], small_log: str, settings: dict[str, list[str]], tmp_path: Path
) -> None:
    other = train(small_log, run_config("gsrec", settings=settings["gsrec"], seed=2), tmp_path / "other")
    assert other.record.data == runs["gsrec"].record.data
    assert other.evaluate(TEST).metrics != runs["gsrec"].evaluate(TEST).metrics


def test_the_folder_of_a_run(runs: dict[str, Run], out: Path, small_log: str) -> None:
    folder, record = out / "gsrec", runs["gsrec"].record
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "bundle/manifest.json",
        "bundle/popularity.safetensors",
        "bundle/vocabulary.json",
        "bundle/weights.safetensors",
        "history.jsonl",
        "metrics.json",
        "run.json",
    ]
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert history == [epoch.model_dump() for epoch in record.history]
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics == runs["gsrec"].evaluate(Protocol("validation")).record()
    best = max(history, key=lambda epoch: epoch["validation"]["NDCG@10"])
    assert best["validation"] == metrics["metrics"]
    assert best["epoch"] == record.training.best_epoch
    assert record.log == LogReference(log=small_log)
    assert record.training.num_parameters == sum(part.numel() for part in runs["gsrec"].model.parameters())


def test_a_model_that_counts_has_no_history(runs: dict[str, Run], out: Path) -> None:
    assert runs["poprec"].record.training.epochs == 0
    assert runs["poprec"].record.history == ()
    assert not (out / "poprec/checkpoints").exists()
    assert not (out / "poprec/history.jsonl").exists()


def test_the_record_is_a_whole_result(runs: dict[str, Run]) -> None:
    run = runs["sasrec"]
    record = run.result(run.evaluate(TEST)).model_dump(mode="json", exclude_unset=True)
    assert set(record) == {
        *("model", "preset", "label", "data", "split", "seed", "protocol", "num_users_evaluated", "metrics"),
        *("intervals", "audit", "config", "training", "history", "threads", "version", "commit"),
    }
    assert json.loads(json.dumps(record, allow_nan=False))["model"] == "sasrec"
    assert record["config"]["model"]["embedding_size"] == 8


def test_the_listener_is_told_of_steps_and_epochs(
    small_log: str, settings: dict[str, list[str]], tmp_path: Path
) -> None:
    steps: list[TrainingStep] = []
    epochs: list[Epoch] = []
    config = run_config("gru4rec", settings=[*settings["gru4rec"], "batch_size=16"])
    run = train(small_log, config, tmp_path / "run", listener=Listener(steps.append, epochs.append))
    assert {step.epoch for step in steps} == {1, 2}
    assert [asdict(epoch) for epoch in epochs] == [epoch.model_dump() for epoch in run.record.history]


def test_notes_tell_what_was_guessed_and_dropped(spare: str, tmp_path: Path) -> None:
    with Path(spare).open("a", encoding="utf-8") as log:
        log.write("999,1,1600000000\n")
    _, notes = prepare(LogReference(log=spare), run_config("poprec"))
    assert "columns guessed: user 'user_id', item 'item_id', time 'time'" in notes
    assert any(note.startswith("dropped interactions of users with fewer than 3") for note in notes)
    told: list[str] = []
    train(spare, run_config("poprec"), tmp_path / "run", listener=Listener(on_note=told.append))
    assert told == [*notes]


def test_the_terms_of_a_source_are_told(small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ml-1m.csv").write_bytes(Path(small_log).read_bytes())
    monkeypatch.setenv("GSREC_DATA", str(tmp_path))
    _, notes = prepare(LogReference(log="ml-1m"), run_config("poprec"))
    assert notes[-1].startswith("MovieLens data by GroupLens")


def test_a_log_is_known_by_its_whole_path(small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(small_log).parent)
    assert LogReference.of("small.csv", Columns("user", time="time")) == LogReference(
        log=small_log, user_column="user", time_column="time"
    )
    monkeypatch.chdir(tmp_path)
    Path("ml-1m").mkdir()
    assert LogReference.of("ml-1m") == LogReference(log="ml-1m")


def test_named_columns_are_remembered(spare: str, tmp_path: Path) -> None:
    text = Path(spare).read_text(encoding="utf-8")
    Path(spare).write_text(text.replace("user_id,item_id,time", "who,what,when"), encoding="utf-8")
    reference = LogReference.of(spare, Columns("who", "what", "when"))
    run = train(reference, run_config("poprec"), tmp_path / "run")
    assert open_run(tmp_path / "run").evaluate(TEST).metrics == run.evaluate(TEST).metrics


def test_a_log_that_changed_is_refused(spare: str, tmp_path: Path) -> None:
    train(spare, run_config("poprec"), tmp_path / "run")
    lines = Path(spare).read_text(encoding="utf-8").splitlines(keepends=True)
    Path(spare).write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(DataError, match=r"is not the log that .*run was trained on: it has 40 users, 20 items and"):
        open_run(tmp_path / "run")
    swapped = [lines[0], *lines[2:], lines[1]]  # another order in the file, the same order in time
    Path(spare).write_text("".join(swapped), encoding="utf-8")
    open_run(tmp_path / "run")
    user, item, time = lines[1].split(",")
    Path(spare).write_text("".join([lines[0], f"{user},{int(item) % 20 + 1},{time}", *lines[2:]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"its 40 users, 20 items and .* interactions are not the same ones\. Name the"):
        open_run(tmp_path / "run")


def test_a_log_that_moved(spare: str, small_log: str, tmp_path: Path) -> None:
    train(spare, run_config("poprec"), tmp_path / "run")
    Path(spare).unlink()
    with pytest.raises(DataError, match=r"small.csv: the log that .* was trained on is not there. Say with --log"):
        open_run(tmp_path / "run")
    assert open_run(tmp_path / "run", moved_to=small_log).split.sequences.num_users == 40


@pytest.fixture
def own_split(small_log: str) -> Split:
    """A quarter of the users held out whole, as no configuration can say it."""
    sequences = prepare(LogReference(log=small_log), run_config("poprec"))[0].sequences
    judged = np.arange(sequences.num_users) % 4 == 0
    ends = sequences.offsets[1:]
    return Split(sequences, ends - 4 * judged, ends - 2 * judged, name="own")


def test_a_run_on_a_split_of_ones_own_is_never_given_another(
    small_log: str, own_split: Split, sizes: list[str], tmp_path: Path
) -> None:
    config = run_config("gsrec", settings=sizes)
    run = train(small_log, config, tmp_path / "run", split=own_split)
    assert run.record.data.cuts == own_split.cuts
    with pytest.raises(DataError, match=r"cut in another way than when .*run was trained: .* open_run\(folder, split"):
        open_run(tmp_path / "run")
    opened = open_run(tmp_path / "run", split=own_split)
    assert opened.evaluate(TEST).record() == run.evaluate(TEST).record()
    with pytest.raises(DataError, match="cut in another way"):
        open_run(tmp_path / "run", split=replace(own_split, rule="first"))
    assert trained_run(tmp_path / "run", config, own_split)
    assert trained_run(tmp_path / "run", config, leave_one_out(own_split.sequences)) is None
    with pytest.raises(ConfigError, match="holds a run already"):
        train(small_log, config, tmp_path / "run", resume=True)
    assert open_histories(tmp_path / "run").fingerprint == own_split.sequences.fingerprint
    with pytest.raises(DataError, match=r"cut in another way than for the training\. A split of one's own is given"):
        verify(open_bundle(tmp_path / "run"), leave_one_out(own_split.sequences), {})
    assert verify(open_bundle(tmp_path / "run"), own_split, {}).holds


def test_a_training_on_a_split_of_ones_own_is_not_resumed_on_another(
    small_log: str, own_split: Split, sizes: list[str], tmp_path: Path
) -> None:
    config = run_config("gsrec", settings=[*sizes, "epochs=2"])
    asked = count()
    with pytest.raises(StoppedError):
        train(small_log, config, tmp_path, split=own_split, stop=lambda: next(asked) > 0)
    assert is_begun(tmp_path, config, own_split)
    assert not is_begun(tmp_path, config, leave_one_out(own_split.sequences))
    with pytest.raises(TrainingError, match="cuts was"):
        train(small_log, config, tmp_path, resume=True)
    resumed = train(small_log, config, tmp_path, split=own_split, resume=True)
    assert resumed.record.data.cuts == own_split.cuts


def test_what_an_earlier_version_trained_and_told_no_cuts_of_opens(
    small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, facts = run_config("poprec"), DataFacts.of
    with monkeypatch.context() as patch:
        patch.setattr(DataFacts, "of", lambda split: facts(split).model_copy(update={"cuts": None}))
        run = train(small_log, config, tmp_path)
    opened = open_run(tmp_path)
    assert opened.record.data.cuts is None
    assert opened.evaluate(TEST).metrics == run.evaluate(TEST).metrics
    assert trained_run(tmp_path, config, run.split)
    shorter = replace(run.split, train_ends=run.split.sequences.offsets[:-1] + 1)
    assert trained_run(tmp_path, config, shorter) is None  # what is not told is as configured


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    for opens in (open_run, open_bundle, read_record):
        with pytest.raises(BundleError, match=r"is not a run folder: it holds no run\.json"):
            opens(tmp_path)


def test_a_run_is_written_into_a_folder_of_its_own(runs: dict[str, Run], out: Path, tmp_path: Path) -> None:
    claim(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="holds a run already"):
        claim(out / "gsrec")
    with pytest.raises(ConfigError, match="is not empty"):
        claim(out)
    stopped = tmp_path / "stopped"
    (stopped / "checkpoints").mkdir(parents=True)
    for name in ("history.jsonl", "mine.log"):
        (stopped / name).touch()
    with pytest.raises(ConfigError, match="continue it with --resume"):
        claim(stopped)
    claim(stopped, unfinished=True)


def test_of_two_processes_that_write_one_run_the_slower_is_refused(
    small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def held_too_late(folder: Path) -> Iterator[None]:
        folder.mkdir()
        (folder / "run.json").write_text("another process's", encoding="utf-8")
        yield

    monkeypatch.setattr("gsrec.experiment.run.held", held_too_late)
    with pytest.raises(ConfigError, match="holds a run already"):
        train(small_log, run_config("poprec"), tmp_path / "run")
    assert (tmp_path / "run" / "run.json").read_text(encoding="utf-8") == "another process's"


def test_nothing_is_left_where_there_is_nothing_to_learn(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user,item\na,1\na,2\nb,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="none of 3 interactions is left"):
        train(str(log), run_config("gsrec"), tmp_path / "run")
    with pytest.raises(ConfigError, match="embedding_size must be a multiple of num_heads"):
        train("synthetic", run_config("gsrec", settings=["num_heads=5"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def new_process() -> Iterator[None]:
    """A process that has not asked yet which commit it runs."""
    running_commit.cache_clear()
    yield
    running_commit.cache_clear()


@pytest.mark.usefixtures("new_process")
def test_the_commit_is_that_of_a_process_when_it_first_trained(
    small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = iter(["", "first", "", "later"])
    monkeypatch.setattr("gsrec.experiment.run._git", lambda *_: next(commits))
    told = [train(small_log, run_config("poprec"), tmp_path / name).record.commit for name in "ab"]
    assert told == ["first", "first"]


@pytest.mark.usefixtures("new_process")
def test_the_commit_is_unknown_without_git(small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert train(small_log, run_config("poprec"), tmp_path / "run").record.commit is None


@pytest.mark.usefixtures("new_process")
def test_the_commit_of_a_checkout_that_it_is_only_installed_in_says_nothing(
    small_log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    for command in (("init",), (*who, "commit", "--allow-empty", "--message", "shop")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)  # noqa: S607
    installed = tmp_path / "run.py"
    installed.write_text("", encoding="utf-8")
    monkeypatch.setattr("gsrec.experiment.run.__file__", str(installed))
    assert train(small_log, run_config("poprec"), tmp_path / "run").record.commit is None


@pytest.fixture
def songs(tmp_path: Path) -> str:
    """A log in which every user takes the same three items over and over."""
    rows = [f"{user},{(user + turn % 3) % 12},{turn}" for user in range(40) for turn in range(12)]
    path = tmp_path / "songs.csv"
    path.write_text("\n".join(["user,item,time", *rows]), encoding="utf-8")
    return str(path)


def test_where_items_are_taken_again_they_can_be_candidates(songs: str, sizes: list[str], tmp_path: Path) -> None:
    settings = [*sizes, "embedding_size=32", "dropout=0", "batch_size=4", "epochs=6", "learning_rate=0.01"]
    left_out, kept = (
        train(songs, run_config("gsrec", settings=[*settings, f"filter_seen={said}"]), tmp_path / said)
        for said in ("true", "false")
    )
    judged = [run.evaluate() for run in (left_out, kept)]
    assert [one.protocol for one in judged] == [Protocol("test"), Protocol("test", filter_seen=False)]
    assert judged[0].metrics["HR@10"] == 0
    assert judged[1].metrics["HR@5"] > 0.9
    notes = [note for run in (left_out, kept) for note in prepare(run.record.log, run.record.config)[1]]
    assert [note[:4] for note in notes if "items that their users had before" in note] == ["100%"]
    bundle, history = open_bundle(tmp_path / "false"), [0, 1, 2, 0, 1, 2]
    assert not bundle.filter_seen
    recommender = Recommender(bundle)
    session = recommender.session()
    for item in history:
        session.add(item)
    best = recommender.recommend(history, 3).items
    assert best == session.recommend(3).items
    assert set(best) & set(history)
    assert not set(recommender.recommend(history, 12, filter_seen=True).items) & set(history)
    assert recommender.recommend_users(open_log(songs), 12).height == 40 * 12
