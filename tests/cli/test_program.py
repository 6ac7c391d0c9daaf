"""The installed program in a process of its own: pipes, a full disk, Ctrl-C, and how soon it answers."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SIZES = ("--model", "gru4rec", "--set", "embedding_size=8", "--set", "recurrent_size=8", "--set", "patience=0")


def hear_signals() -> None:
    """Be interrupted by Ctrl-C and told of files too large, as in a shell."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def limit_files() -> None:
    """Let no file grow beyond 2000 bytes, like a disk that fills up."""
    hear_signals()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def test_help_does_without_torch(program: Path) -> None:
    command = "import sys; sys.argv = ['gsrec', 'train', '--help']; import atexit; "
    command += "atexit.register(lambda: print('torch' in sys.modules, 'polars' in sys.modules)); import gsrec.__main__"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage:")
    assert done.stdout.endswith("False False\n")
    assert program.exists()


def test_results_go_into_a_pipe(program: Path, trained: Path) -> None:
    with subprocess.Popen([program, "evaluate", trained, "--json"], stdout=subprocess.PIPE) as evaluating:
        count = "import json, sys; print(json.load(sys.stdin)['num_users_evaluated'])"
        counted = subprocess.run(
            [sys.executable, "-c", count], stdin=evaluating.stdout, capture_output=True, text=True, check=True
        )
    assert (evaluating.returncode, counted.stdout) == (0, "30\n")


def test_nobody_reads_the_pipe(program: Path, trained: Path) -> None:
    with subprocess.Popen(
        [program, "recommend", trained, "--history", "i1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as recommending:
        assert recommending.stdout is not None
        assert recommending.stderr is not None
        recommending.stdout.close()
        err = recommending.stderr.read()
    assert (recommending.returncode, err) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to write to")
def test_the_output_is_full(program: Path, trained: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [program, "recommend", trained, "--history", "i1"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "gsrec: cannot read or write the output: No space left on device\n")


def test_a_disk_that_fills_up(program: Path, small_log: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [program, "train", small_log, *SIZES, "--set", "epochs=1", "--out", "run", "--quiet", "--json"],
        cwd=tmp_path,
        preexec_fn=limit_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    told = "gsrec: cannot write run/checkpoints/best.safetensors: File too large. What was there before is unchanged.\n"
    assert done.stderr == told
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == []


def test_ctrl_c_during_a_comparison(program: Path, small_log: Path, tmp_path: Path) -> None:
    endless = ("--models", "poprec,gru4rec", *SIZES[2:], "--set", "epochs=10000")
    with subprocess.Popen(
        [program, "compare", small_log, *endless, "--out", "results", "--json"],
        cwd=tmp_path,
        preexec_fn=hear_signals,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as comparing:
        assert comparing.stderr is not None
        next(line for line in comparing.stderr if "epoch 2" in line)
        comparing.send_signal(signal.SIGINT)
        out, err = comparing.communicate(timeout=60)
    assert (comparing.returncode, out) == (130, "")
    assert "stopping after this step ..." in err
    assert err.splitlines()[-1].startswith("gsrec: stopped in epoch ")
    assert err.endswith("and kept: resume it with `gsrec train ... --resume`, or the same `gsrec compare` again\n")
    assert "Traceback" not in err
    [line] = (tmp_path / "results/results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["label"] == "poprec"
    [begun] = (tmp_path / "results/runs").glob("gru4rec-*")
    assert not (begun / "run.json").exists()
    assert not list((tmp_path / "results").rglob(".*"))
