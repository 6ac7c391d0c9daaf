"""Bytes from outside, as hostile as a machine can make them: the right answer or a GSRecError, and never anything else.

A few hundred cases a target, made by cutting, flipping and mixing valid ones; `make fuzz` makes as many as wanted, led
by the code that they reach. What was ever found stays in `corpus/NAME/` and is tried again in every run.
"""

from __future__ import annotations

import gzip
import io
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import zstandard
from fastapi.testclient import TestClient

from gsrec.bundle import Bundle, load_bundle, save_bundle
from gsrec.bundle.inspection import inspect_bundle
from gsrec.bundle.manifest import CONTENTS, MANIFEST, Manifest
from gsrec.data.batches import Batches
from gsrec.data.sources import open_log
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import GSRecError
from gsrec.experiment.configure import run_config
from gsrec.files import checksum
from gsrec.models import GSRecConfig, SequenceEncoder, build_model
from gsrec.recommend.onnx_runtime import EXPORT_FACTS, read_facts
from gsrec.recommend.session import Session, session_from_bytes
from gsrec.reporting.ranks import UserRanks, read_ranks, write_ranks
from gsrec.reporting.results import read_results
from gsrec.serving.app import create_app
from gsrec.serving.keys import new_key, read_keys
from gsrec.serving.settings import Settings
from gsrec.serving.titles import read_titles
from gsrec.training.checkpoint import load_state
from gsrec.training.config import TrainingConfig
from gsrec.training.course import Course, Keeping
from gsrec.training.training import Training

Try = Callable[[bytes], None]
"""Gives the bytes to what reads them; what it raises besides a GSRecError is a fault."""

HERE = Path(__file__).parent
IN_CHECK = 200
"""Cases a target in every check."""

SLOWEST = 10.0
"""Seconds after which a case counts as a hang."""

SPLIT = leave_one_out(synthetic_log(num_users=20, num_items=15, mean_length=6).to_sequences())
CONFIG = GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3)


@cache
def folder() -> Path:
    """A folder for this process."""
    return Path(tempfile.mkdtemp(prefix="gsrec-fuzz-"))


@cache
def bundle() -> Bundle:
    return Bundle.of(build_model(CONFIG, num_items=SPLIT.sequences.num_items, seed=1).eval(), CONFIG, SPLIT)


@cache
def bundle_files() -> dict[str, bytes]:
    save_bundle(bundle(), folder() / "whole")
    return {name: (folder() / "whole" / name).read_bytes() for name in (*CONTENTS, MANIFEST)}


def rows() -> pl.DataFrame:
    return pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": [1, 2, 3], "timestamp": [1, 2, 9]})


def log_seeds(extension: str) -> list[bytes]:
    """Small logs in this format."""
    if extension == "parquet":
        content = io.BytesIO()
        rows().write_parquet(content)
        return [content.getvalue()]
    csv = rows().write_csv().encode()
    texts = {
        "csv": [csv, b'user_id,item_id\n"a ""b"",c",1\n,\n'],
        "tsv": [csv.replace(b",", b"\t")],
        "jsonl": [rows().write_ndjson().encode(), b'{"user_id": 1, "item_id": "x", "timestamp": 1e400}\n'],
        "inter": [b"user_id:token\titem_id:token\ttimestamp:float\na\t1\t1.5\n"],
        "dat": [b"1::1193::5::978300760\n1::661::3::978302109\n"],
        "txt": [b"1 2 3 4\n2 5 6\n"],
    }
    if extension in texts:
        return texts[extension]
    return [gzip.compress(csv) if extension == "csv.gz" else zstandard.compress(csv)]


def read_log(extension: str) -> Try:
    def attempt(content: bytes) -> None:
        path = folder() / f"log.{extension}"
        path.write_bytes(content)
        open_log(str(path)).filtered(min_user_interactions=2).to_sequences()

    return attempt


def read_part(name: str) -> Try:
    """A bundle of which one file is as given, and all checksums fit, as anybody can make it."""

    def attempt(content: bytes) -> None:
        path, files = folder() / "bundle", bundle_files()
        path.mkdir(exist_ok=True)
        for other in (*CONTENTS, MANIFEST):
            (path / other).write_bytes(content if other == name else files[other])
        if name != MANIFEST:
            manifest = Manifest.model_validate_json(files[MANIFEST])
            sums = {**manifest.checksums, name: checksum(content)}
            signed = manifest.model_copy(update={"checksums": sums}).signed()
            (path / MANIFEST).write_text(signed.model_dump_json(), encoding="utf-8")
        look_and_load(path)

    return attempt


def look_and_load(path: Path) -> None:
    inspect_bundle(path)
    load_bundle(path)


def read_file(name: str, read: Callable[[Path], object]) -> Try:
    def attempt(content: bytes) -> None:
        (folder() / name).write_bytes(content)
        read(folder() / name)

    return attempt


def read_state(name: str) -> Try:
    def attempt(content: bytes) -> None:
        path = folder() / "states"
        path.mkdir(exist_ok=True)
        for kept, other in states().items():
            (path / kept).write_bytes(content if kept.endswith(name) else other)
        state, _ = load_state(path, identity={})
        if state is not None:
            training().restore(state)

    return attempt


@cache
def training() -> Training:
    """What the states are of."""
    model = build_model(CONFIG, num_items=3, seed=1)
    assert isinstance(model, SequenceEncoder)
    batches = Batches(np.array([1, 2, 3], dtype=np.int32), np.array([0]), np.array([3]), 1, seed=1)
    return Training(model, batches, TrainingConfig(averaging=0.9), 1)


@cache
def states() -> dict[str, bytes]:
    begun = training()
    begun.best = {name: values.clone() for name, values in begun.model.state_dict().items()}
    begun.step(torch.tensor([[1, 2, 3]]))
    begun.keep(Course(best_epoch=1), Keeping(folder() / "kept"))
    return {path.name: path.read_bytes() for path in (folder() / "kept").iterdir()}


def ask(path: str) -> Try:
    """What a server answers; a 5xx or an answer that is not JSON is a fault."""

    def attempt(content: bytes) -> None:
        answer = client().post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, answer.text
        assert isinstance(answer.json(), dict)

    return attempt


@cache
def client() -> TestClient:
    save_bundle(bundle(), folder() / "served.gsrec")
    return TestClient(create_app(Settings((folder() / "served.gsrec",))), base_url="http://127.0.0.1").__enter__()


def read_session(content: bytes) -> None:
    session_from_bytes(bundle(), content).recommend(3)


def set_settings(content: bytes) -> None:
    run_config("gsrec", settings=content.decode(errors="replace").split("\n"))


def one_file() -> bytes:
    save_bundle(bundle(), folder() / "one.gsrec")
    return (folder() / "one.gsrec").read_bytes()


def session_seed() -> list[bytes]:
    session = Session(bundle())
    session.add(1, 2, 3)
    return [session.to_bytes(), Session(bundle()).to_bytes()]


def keys_seed() -> list[bytes]:
    new_key(folder() / "new-keys", "ann")
    return [(folder() / "new-keys").read_bytes()]


def ranks_seed() -> list[bytes]:
    ones = torch.ones(4, dtype=torch.int64).numpy()
    write_ranks(folder() / "some-ranks", UserRanks(ones, ones, ones, ones))
    return [(folder() / "some-ranks").read_bytes()]


def state_seed(ending: str) -> list[bytes]:
    return [content for name, content in states().items() if name.endswith(ending)]


RESULT = (
    b'{"model": "gsrec", "label": "gsrec", "seed": 1, "split": "leave-one-out", "metrics": {"NDCG@10": 0.1}, '
    b'"protocol": {"part": "test", "candidates": "full", "filter_seen": true, "ties": "against the model"}}\n'
)
EXPORT = (
    b'{"format": 1, "version": "0.1.0", "model": "gsrec", "fingerprint": "0", "num_items": 3, "max_length": null, '
    b'"max_events": null, "scores": {"file": "scores.onnx", "inputs": [], "outputs": []}, '
    b'"step": null, "checksums": {}}'
)
TOML = b"[model]\nembedding_size = 32\nwindow = 'all'\n[training]\nloss = 'softmax'\nlearning_rate = 1e-3\n[data]\n"
HISTORY = b'{"history": [1, 2, 3], "k": 5, "exclude": [4], "only": null, "filter_seen": true}'
EVENT = b'{"item_id": 3, "k": 5}'
LOGS = ("csv", "tsv", "jsonl", "parquet", "inter", "dat", "txt", "csv.gz", "csv.zst")

TARGETS: dict[str, tuple[Try, Callable[[], list[bytes]]]] = {
    **{f"log-{kind}": (read_log(kind), lambda kind=kind: log_seeds(kind)) for kind in LOGS},  # type: ignore[misc]
    "bundle-file": (read_file("given.gsrec", look_and_load), lambda: [one_file()]),
    **{
        f"bundle-{name.partition('.')[0]}": (read_part(name), lambda name=name: [bundle_files()[name]])  # type: ignore[misc]
        for name in (*CONTENTS, MANIFEST)
    },
    "session": (read_session, session_seed),
    "checkpoint-facts": (read_state(".json"), lambda: state_seed(".json")),
    "checkpoint-tensors": (read_state(".safetensors"), lambda: state_seed(".safetensors")),
    "config": (read_file("config.toml", lambda path: run_config("gsrec", file=path)), lambda: [TOML]),
    "settings": (set_settings, lambda: [b"embedding_size=32\ntraining.loss=bce", b"window=all"]),
    "keys": (read_file("keys", read_keys), keys_seed),
    "titles": (read_file("titles.csv", read_titles), lambda: [b"item_id,title\n1,One\n2,Two\n"]),
    "results": (read_file("results.jsonl", read_results), lambda: [RESULT]),
    "ranks": (read_file("ranks", read_ranks), ranks_seed),
    "export": (read_file(EXPORT_FACTS, lambda path: read_facts(path.parent)), lambda: [EXPORT]),
    "http-recommend": (ask("/v1/recommend"), lambda: [HISTORY]),
    "http-events": (ask("/v1/sessions/ann/events"), lambda: [EVENT, b'{"item_ids": [1, 2]}']),
    "http-explain": (ask("/v1/explain"), lambda: [b'{"history": [1, 2], "item_id": 3}']),
}


def attempt(name: str, content: bytes) -> None:
    """Try a case; whatever is wrong raises."""
    begin = time.perf_counter()
    with suppress(GSRecError):
        TARGETS[name][0](content)
    assert time.perf_counter() - begin < SLOWEST, "it hangs"


SPICES = (
    b"\0",
    b'"',
    b"\n",
    b",",
    b"{",
    b"]",
    b"\xff\xfe",
    b"NaN",
    b"-1",
    b"1e999",
    b"9" * 30,
    b"null",
    b"../../x",
    b"[" * 200,
)


def mutated(seeds: list[bytes], generator: random.Random) -> bytes:
    """A valid case with a few changes."""
    content = bytearray(generator.choice(seeds))
    for _ in range(generator.randint(1, 6)):
        place = generator.randint(0, len(content))
        match generator.randint(0, 5):
            case 0 if content:
                content[place % len(content)] ^= 1 << generator.randint(0, 7)
            case 1:
                del content[place : place + generator.randint(1, 16)]
            case 2:
                content[place:place] = generator.choice(SPICES)
            case 3:
                other = generator.choice(seeds)
                begin = generator.randint(0, len(other))
                content[place:place] = other[begin : begin + generator.randint(1, 32)]
            case 4 if content:
                content[place % len(content)] = generator.randint(0, 255)
            case _:
                del content[generator.randint(0, len(content)) :]
    return bytes(content)


def found_before(name: str) -> list[bytes]:
    """What was ever found for a target."""
    return [path.read_bytes() for path in sorted((HERE / "corpus" / name).glob("*"))]


@pytest.mark.parametrize("name", TARGETS)
def test_the_right_answer_or_an_error_that_says_what_to_do(name: str) -> None:
    seeds, generator = TARGETS[name][1](), random.Random(name)  # noqa: S311
    for content in (*seeds, b"", *found_before(name)):
        attempt(name, content)
    for _ in range(IN_CHECK):
        content = mutated(seeds, generator)
        try:
            attempt(name, content)
        except BaseException:
            print("the case:", content)  # noqa: T201
            raise
