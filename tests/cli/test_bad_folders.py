"""A run folder that is none, damaged, or in the way; a log that has moved or changed; a disk that is full."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Gsrec = Callable[..., tuple[int, str, str]]

SIZES = ("--model", "gru4rec", "--set", "epochs=1", "--set", "embedding_size=8", "--set", "recurrent_size=8")
USING = {"evaluate": (), "recommend": ("--history", "i1")}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nothing", "holds no trained model: there is no such file or folder"),
        (".", "holds no trained model: manifest.json cannot be read"),
        ("file", "is no bundle that `gsrec pack` wrote, or a damaged one"),
    ],
)
def test_a_folder_that_is_no_run(gsrec: Gsrec, place: str, reason: str) -> None:
    Path("file").touch()
    code, out, err = gsrec("evaluate", place)
    assert (code, out) == (1, "")
    assert err == (
        f"gsrec: {place} is not a run folder: it holds no run.json. `gsrec train LOG --out DIR` makes one.\n"
    )
    code, out, err = gsrec("recommend", place, "--history", "i1")
    assert (code, out) == (1, "")
    assert f"gsrec: {place} {reason}" in err


def truncate_weights(run: Path) -> None:
    os.truncate(run / "bundle/weights.safetensors", 100)


def change_vocabulary(run: Path) -> None:
    replace(run / "bundle/vocabulary.json", '"i3"', '"i33"')


def change_what_weights_do_not_tell(run: Path) -> None:
    replace(run / "bundle/manifest.json", '"num_users": 30', '"num_users": 31')


def change_format(run: Path) -> None:
    replace(run / "bundle/manifest.json", '"format": 4', '"format": 5')


def cut_manifest(run: Path) -> None:
    os.truncate(run / "bundle/manifest.json", 40)


def lose_bundle(run: Path) -> None:
    shutil.rmtree(run / "bundle")


def lose_weights(run: Path) -> None:
    (run / "bundle/weights.safetensors").unlink()


def cut_record(run: Path) -> None:
    os.truncate(run / "run.json", 40)


def empty_record(run: Path) -> None:
    (run / "run.json").write_text("{}", encoding="utf-8")


def garble_record(run: Path) -> None:
    (run / "run.json").write_bytes(b"\xff\xfe")


def change_model_in_record(run: Path) -> None:
    replace(run / "run.json", '"max_length": 200', '"max_length": 100')


DAMAGES: dict[Callable[[Path], None], str] = {
    truncate_weights: "run/bundle: weights.safetensors is missing or does not match its checksum",
    lose_weights: "run/bundle: weights.safetensors is missing or does not match its checksum",
    change_vocabulary: "run/bundle: vocabulary.json is missing or does not match its checksum",
    change_what_weights_do_not_tell: "run/bundle: manifest.json does not match its checksum",
    change_model_in_record: "run/bundle is not the model that run/run.json tells of",
    change_format: "run/bundle is of format 5, and this version knows format 4. Install a newer gsrec.",
    cut_manifest: "run/bundle: manifest.json is damaged: ",
    lose_bundle: "run/bundle holds no trained model: there is no such file or folder",
    cut_record: "run/run.json is damaged or of another version: Invalid JSON: EOF",
    empty_record: "run/run.json is damaged or of another version: log: Field required. Train or copy it again.",
    garble_record: "run/run.json is damaged or of another version: 'utf-8' codec can't decode",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_run_is_refused_with_the_reason(
    gsrec: Gsrec, run_folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(run_folder)
    before = contents(run_folder)
    for command, arguments in USING.items():
        code, out, err = gsrec(command, run_folder, *arguments)
        assert (code, out) == (1, "")
        assert DAMAGES[damage] in err
        assert err.count("\n") == 1
    assert contents(run_folder) == before


def test_the_model_of_another_run_is_refused(gsrec: Gsrec, run_folder: Path, small_log: Path) -> None:
    assert gsrec("train", small_log, "--model", "poprec", "--out", "other")[0] == 0
    shutil.rmtree(run_folder / "bundle")
    shutil.copytree("other/bundle", run_folder / "bundle")
    code, _, err = gsrec("evaluate", run_folder)
    assert code == 1
    assert "run/bundle is not the model that run/run.json tells of: one of them was changed or comes from" in err


@pytest.fixture
def moving(gsrec: Gsrec, small_log: Path) -> Path:
    """A log that a run called `mine` was trained on, to be moved and changed."""
    log = Path(shutil.copy(small_log, "log.csv"))
    assert gsrec("train", log, *SIZES, "--out", "mine")[0] == 0
    return log


def test_a_log_that_moved(gsrec: Gsrec, moving: Path, folder: Path) -> None:
    metrics = json.loads(gsrec("evaluate", "mine", "--json")[1])["metrics"]
    moving.rename("moved.csv")
    Path("users.txt").write_text("u1\n", encoding="utf-8")
    for command in (("evaluate", "mine"), ("recommend", "mine", "--users", "users.txt")):
        code, out, err = gsrec(*command)
        assert (code, out) == (1, "")
        assert err == (
            f"gsrec: {folder / 'log.csv'}: the log that mine was trained on is not there. Say with --log where it is.\n"
        )
        assert gsrec(*command, "--log", "moved.csv")[0] == 0
        assert "nowhere.csv: there is neither a file nor a source" in gsrec(*command, "--log", "nowhere.csv")[2]
    assert json.loads(gsrec("evaluate", "mine", "--json", "--log", "moved.csv")[1])["metrics"] == metrics
    assert gsrec("recommend", "mine", "--history", "i1")[0] == 0  # it needs no log


def test_a_log_that_changed(gsrec: Gsrec, moving: Path, folder: Path) -> None:
    text = moving.read_text(encoding="utf-8")
    moving.write_text(text + "u1,i3,999\n", encoding="utf-8")
    code, out, err = gsrec("evaluate", "mine")
    assert (code, out) == (1, "")
    assert err == (
        f"gsrec: {folder / 'log.csv'} is not the log that mine was trained on: it has 30 users, 12 items and 181 "
        "interactions, and there were 30 users, 12 items and 180 interactions. Name the right one with --log.\n"
    )
    moving.write_text(text.replace("u0,i10,", "u0,i11,", 1), encoding="utf-8")
    code, _, err = gsrec("evaluate", "mine", "--log", "log.csv")
    assert code == 1
    assert "its 30 users, 12 items and 180 interactions are not the same ones" in err
    assert not list(Path("mine").glob("test-*"))


@pytest.mark.parametrize("command", ["train", "compare"])
@pytest.mark.parametrize("place", ["file", "file/within"])
def test_a_file_is_in_the_way(gsrec: Gsrec, small_log: Path, folder: Path, command: str, place: str) -> None:
    Path("file").write_text("mine", encoding="utf-8")
    models = ("--model", "poprec") if command == "train" else ("--models", "poprec")
    code, out, err = gsrec(command, small_log, *models, "--out", place)
    assert (code, out) == (2, "")
    assert err == (
        f"gsrec: {place} cannot be a folder, because {folder / 'file'} is a file. Give another folder with --out.\n"
    )
    assert contents(Path()) == {"file": b"mine"}


def test_a_folder_that_may_not_be_written(gsrec: Gsrec, small_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever is root may write anywhere
    code, _, err = gsrec("train", small_log, "--model", "poprec", "--out", "out")
    assert code == 2
    assert "out cannot be written: " in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("notes.txt", "is not empty"),
        ("run.json", "holds a run already"),
        ("history.jsonl", "holds a training that was"),
    ],
)
def test_a_folder_that_is_not_empty(gsrec: Gsrec, small_log: Path, file: str, what: str) -> None:
    Path("out").mkdir()
    Path("out", file).write_text("mine", encoding="utf-8")
    code, out, err = gsrec("train", small_log, "--model", "poprec", "--out", "out")
    assert (code, out) == (2, "")
    assert f"gsrec: out {what}" in err
    assert "Give another folder with --out, or remove it.\n" in err
    assert contents(Path()) == {f"out/{file}": b"mine"}


def test_a_run_is_not_trained_over(gsrec: Gsrec, small_log: Path, run_folder: Path) -> None:
    before = contents(run_folder)
    code, _, err = gsrec("train", small_log, "--model", "poprec", "--out", run_folder)
    assert (code, err) == (2, "gsrec: run holds a run already. Give another folder with --out, or remove it.\n")
    code, _, err = gsrec("compare", small_log, "--models", "poprec", "--out", run_folder)
    assert code == 2
    assert err == "gsrec: run is the folder of a run. Give another folder with --out for the comparison.\n"
    assert contents(run_folder) == before


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "--models", "poprec"),
        ("tune", "--model", "sasrec", "--trials", 1),
        ("index",),
        ("export",),
        ("thesis", "--small"),
    ],
    ids=lambda command: command[0],
)
def test_a_folder_of_something_else_is_left_alone(
    gsrec: Gsrec, small_log: Path, run_folder: Path, command: tuple[str, ...]
) -> None:
    Path("mine/trial").mkdir(parents=True)
    for name in ("table.md", "learning_curves.png", "model.json", "trial/notes.txt"):
        Path("mine", name).write_text("mine", encoding="utf-8")
    given = {"index": (run_folder, small_log), "export": (run_folder,), "thesis": ()}.get(command[0], (small_log,))
    before = contents(Path("mine"))
    code, out, err = gsrec(command[0], *given, *command[1:], "--out", "mine")
    assert (code, out) == (2, "")
    assert "mine holds " in err
    assert "which does not belong there and could be written over. Give another folder with --out.\n" in err
    assert contents(Path("mine")) == before


def test_an_empty_folder_is_taken(gsrec: Gsrec, small_log: Path) -> None:
    Path("out/checkpoints").mkdir(parents=True)  # as a full disk leaves it
    Path("out/.DS_Store").touch()  # as a file manager does
    assert gsrec("train", small_log, "--model", "poprec", "--out", "out")[0] == 0


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the disk be full when a file of this name is to be put on it."""

    def fill(name: str) -> None:
        fsync = os.fsync

        def fail(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2].startswith(f".{name}"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", fail)

    return fill


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it needs /proc to tell the name of an open file")
@pytest.mark.parametrize(
    "file",
    [
        "best.safetensors",
        "state-000001.safetensors",
        "state-000001.json",
        "history.jsonl",
        "weights.safetensors",
        "manifest.json",
        "metrics.json",
        "run.json",
    ],
)
def test_a_full_disk_leaves_no_run(gsrec: Gsrec, small_log: Path, full_disk: Callable[[str], None], file: str) -> None:
    full_disk(file)
    code, out, err = gsrec("train", small_log, *SIZES, "--out", "out", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("gsrec: cannot write out/")
    assert err.endswith(f"/{file}: No space left on device. What was there before is unchanged.\n")
    assert not Path("out/run.json").exists()
    assert not [path for path in Path("out").rglob("*") if path.name == file or path.name.startswith(".")]
    assert "out holds a training that was not finished. Resume it with" in gsrec("evaluate", "out")[2]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it needs /proc to tell the name of an open file")
def test_a_full_disk_leaves_an_evaluation_as_it_was(
    gsrec: Gsrec, run_folder: Path, full_disk: Callable[[str], None]
) -> None:
    assert gsrec("evaluate", run_folder)[0] == 0
    before = contents(run_folder)
    full_disk("test-full.json")
    code, _, err = gsrec("evaluate", run_folder)
    assert (code, err) == (
        1,
        "gsrec: cannot write run/test-full.json: No space left on device. What was there before is unchanged.\n",
    )
    assert contents(run_folder) == before
