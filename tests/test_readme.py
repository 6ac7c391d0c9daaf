"""What the README tells people to type works, in the order it tells them.

Blocks marked ```console hold commands after a `$ `; blocks marked ```python are whole programs. All of them run in one
empty folder. A block of any other kind is not run. `make` commands are checked to be targets, since they run the tests.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(console|python)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line.removeprefix("$ "), comments=True)
    for kind, block in BLOCKS
    if kind == "console"
    for line in block.splitlines()
    if line.startswith("$ ")
]
PROGRAMS = [block for kind, block in BLOCKS if kind == "python"]
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the README's reader works in."""
    return tmp_path_factory.mktemp("readme")


def _run(command: list[str], folder: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


def test_the_two_commands_are_told() -> None:
    assert ["make", "quickstart"] in COMMANDS
    assert ["make", "test"] in COMMANDS


def test_every_command_is_make_or_gsrec() -> None:
    assert {command[0] for command in COMMANDS} <= {"make", "gsrec"}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "make"], ids=shlex.join)
def test_make_target_exists(command: list[str]) -> None:
    assert set(command[1:]) <= set(TARGETS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "gsrec"], ids=shlex.join)
def test_command_runs(command: list[str], folder: Path) -> None:
    _run(command, folder)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", PROGRAMS, ids=[f"python-{place}" for place, _ in enumerate(PROGRAMS, start=1)])
def test_program_runs(program: str, folder: Path) -> None:
    _run([sys.executable, "-W", "error", "-c", program], folder)
