"""Importing is cheap and does nothing else."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gsrec

IMPORT_ALL = """
import importlib, json, pkgutil, sys, threading
import numpy, torch
import gsrec

before = numpy.random.get_state()[1].tobytes(), torch.random.get_rng_state().numpy().tobytes()
threads = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
names = [module.name for module in pkgutil.walk_packages(gsrec.__path__, "gsrec.") if module.name != "gsrec.__main__"]
for name in names:
    importlib.import_module(name)
after = numpy.random.get_state()[1].tobytes(), torch.random.get_rng_state().numpy().tobytes()
sys.stderr.write(json.dumps({
    "modules": len(names),
    "random state kept": before == after,
    "torch settings kept": threads == (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()),
    "threads": threading.active_count(),
}))
"""


def test_importing_every_module_has_no_effect(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    found = json.loads(done.stderr)
    assert found.pop("modules") > 20
    assert found == {"random state kept": True, "torch settings kept": True, "threads": 1}
    assert list(tmp_path.iterdir()) == []


def test_every_folder_of_the_package_is_a_package() -> None:
    root = Path(gsrec.__file__).parent
    folders = {path.parent for path in root.rglob("*.py")}
    assert [folder.name for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("command", "told"), [(["--help"], "Usage"), (["data", "describe", "synthetic"], "num interactions")]
)
def test_what_needs_no_model_answers_without_heavy_imports(command: list[str], told: str) -> None:
    code = "import sys; from gsrec.cli import main\ntry: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert told in done.stdout
    assert {"torch", "accelerate", "pandas", "pyarrow", "matplotlib"} & set(done.stderr.split()) == set()


@pytest.mark.parametrize("settings", [("clip_norm=1", "averaging=0.9"), ("loss=sampled-bce", "num_negatives=2")])
def test_training_and_answering_do_not_load_the_compiler(settings: tuple[str, ...], tmp_path: Path) -> None:
    code = """
import sys
import gsrec
settings = ["epochs=1", "embedding_size=8", "max_length=10", "model.num_heads=1", *sys.argv[2:]]
gsrec.train("synthetic", gsrec.config_for("synthetic", "sasrec", settings=settings), sys.argv[1])
assert gsrec.open_run(sys.argv[1]).evaluate().metrics
assert gsrec.Recommender.load(sys.argv[1]).recommend([1, 2])
print(*sys.modules)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "run"), *settings]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "torch.optim" in modules
    assert {"torch._dynamo", "torch.distributed.tensor", "sympy"} & set(modules) == set()


@pytest.mark.bench
def test_help_answers_within_three_tenths_of_a_second(program: Path) -> None:
    assert min(_seconds([str(program), "--help"]) for _ in range(5)) < 0.3


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start
