"""What the README tells people to type works, in the order it tells them.

Blocks marked ```console hold commands after a `$ `; blocks marked ```python are whole programs. All of them run in one
empty folder. The block marked ```sh has a log of the reader's own, and a server. A block of any other kind is not run.
`make` commands are checked to be targets, since they run the tests.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gsrec.cli import app
from gsrec.data.synthetic import synthetic_log

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
(LIVE,) = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
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


def test_the_commands_run_one_after_the_other(folder: Path) -> None:
    commands = [command for command in COMMANDS if command[0] == "gsrec"]
    assert commands
    for command in commands:
        _run(command, folder)


def test_the_programs_run_one_after_the_other(folder: Path) -> None:
    assert PROGRAMS
    for program in PROGRAMS:
        _run([sys.executable, "-W", "error", "-c", program], folder)


def options_of(command: Any, name: str = "") -> dict[str, set[str]]:
    """The options of a command, or of those that are under it, by name."""
    if under := getattr(command, "commands", {}):
        found = [options_of(one, f"{name} {key}".strip()) for key, one in under.items()]
        return {key: options for one in found for key, options in one.items()}
    return {name: {text for parameter in command.params for text in parameter.opts}}


def test_all_commands_are_told_with_options_that_they_have() -> None:
    (block,) = re.findall(r"^```text\n(gsrec .*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    options = options_of(get_command(app))
    told = {
        name: set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line))
        for line in block.splitlines()
        for name in options
        if f"{line} ".startswith(f"gsrec {name} ")
    }
    assert told.keys() == options.keys()
    assert [(name, told[name] - options[name]) for name in told if told[name] - options[name]] == []
    assert [name for name in options if "--json" not in options[name]] == ["serve"]


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def test_from_a_csv_to_a_live_answer(tmp_path: Path) -> None:
    synthetic_log(num_users=200, num_items=50, mean_length=12).frame.write_csv(tmp_path / "my.csv")
    port = free_port()
    *steps, serve, ask = [line.removeprefix("$ ").replace("8000", str(port)) for line in LIVE.splitlines()]
    assert len(steps) + 2 == 6
    for step in steps:
        _run(shlex.split(step), tmp_path)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = shlex.split(serve.removesuffix(" &"))
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            done = subprocess.run(shlex.split(ask), capture_output=True, text=True, check=True)
        finally:
            server.terminate()
    answer = json.loads(done.stdout)
    assert (answer["session_id"], answer["num_events"], len(answer["items"])) == ("ann", 1, 10)


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{address} does not answer")
