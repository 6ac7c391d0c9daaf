"""How the command line ends: exit codes, and one message whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import gsrec.cli
from gsrec import __version__
from gsrec.errors import BundleError, ConfigError, DataError, MissingExtraError, NotFittedError, TrainingError

Gsrec = Callable[..., tuple[int, str, str]]
Fail = Callable[[BaseException], None]

COMMANDS = [
    "audit",
    "plan",
    "tune",
    "train",
    "evaluate",
    "compare",
    "drift",
    "refresh",
    "recommend",
    "explain",
    "inspect",
    "pack",
    "export",
    "index",
    "verify",
    "serve",
    "thesis",
    "report",
    "data",
    "keys",
]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Let `gsrec report` end with an error."""

    def arrange(error: BaseException) -> None:
        def write_results_page(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("gsrec.reporting.pages.write_results_page", write_results_page)

    return arrange


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("unknown"), 2),
        (DataError("no rows"), 1),
        (BundleError("damaged"), 1),
        (TrainingError("loss"), 1),
        (NotFittedError("not yet"), 1),
        (MissingExtraError("matplotlib", "report"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_message(gsrec: Gsrec, fail: Fail, error: Exception, code: int) -> None:
    fail(error)
    assert gsrec("report", "results", "--out", "page.md") == (code, "", f"gsrec: {error}\n")


def test_what_the_system_refuses_is_one_message(gsrec: Gsrec, fail: Fail) -> None:
    fail(PermissionError(13, "Permission denied", "secret.csv"))
    told = "gsrec: cannot read or write secret.csv: Permission denied\n"
    assert gsrec("report", "results", "--out", "page.md") == (1, "", told)
    fail(OSError("the device is gone"))
    told = "gsrec: cannot read or write the output: the device is gone\n"
    assert gsrec("report", "results", "--out", "page.md") == (1, "", told)


def test_a_mistake_of_ours_is_one_message(gsrec: Gsrec, fail: Fail) -> None:
    fail(ZeroDivisionError("division by zero"))
    told = "unexpected ZeroDivisionError: division by zero. This is a bug in GSRec; GSREC_TRACEBACK=1 shows where."
    assert gsrec("report", "results", "--out", "page.md") == (1, "", f"gsrec: {told}\n")


def test_a_traceback_is_shown_when_asked_for(gsrec: Gsrec, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(ZeroDivisionError("division by zero"))
    monkeypatch.setenv("GSREC_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        gsrec("report", "results", "--out", "page.md")


def test_ctrl_c_is_told(gsrec: Gsrec, fail: Fail) -> None:
    fail(KeyboardInterrupt())
    assert gsrec("report", "results", "--out", "page.md") == (130, "", "gsrec: stopped by Ctrl-C before it was done\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(gsrec: Gsrec, command: str) -> None:
    assert command in gsrec("--help")[1]
    code, out, err = gsrec(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: gsrec {command}")


def test_no_command_is_wrong_use(gsrec: Gsrec) -> None:
    code, out, err = gsrec()
    assert (code, out) == (2, "")
    assert "Usage: gsrec" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fly",), "No such command 'fly'"),
        (("train", "synthetic"), "Missing option '--out'"),
        (("train", "synthetic", "--epochs", "3"), "No such option: --epochs"),
        (("train", "--out", "out"), "Missing argument 'LOG'"),
        (("train", "synthetic", "--out"), "Option '--out' requires an argument"),
        (("evaluate",), "Missing argument 'DIR'"),
        (("evaluate", "run", "--split", "train"), "'train' is not one of 'test', 'validation'"),
        (("evaluate", "run", "--seed", "-1"), "Invalid value for '--seed'"),
        (("data", "fetch"), "Missing argument 'NAME'"),
        (("report", "--out", "page.md"), "Missing argument 'DIR...'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use(gsrec: Gsrec, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = gsrec(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_the_commands_are_those_of_the_help() -> None:
    assert [command.name or "" for command in gsrec.cli.app.registered_groups] == ["data", "keys"]
    named = [command.callback.__name__ for command in gsrec.cli.app.registered_commands if command.callback]
    assert named == [command for command in COMMANDS if command not in ("data", "keys")]


def test_the_version_is_told(gsrec: Gsrec) -> None:
    assert gsrec("--version") == (0, f"gsrec {__version__}\n", "")
