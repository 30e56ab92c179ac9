"""What every command promises: exit codes, one error line, and where its words go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from spikewright.base.errors import AnswerIsNo, InputError, arg
from spikewright.commands import cli
from spikewright.commands import console as command

MISTYPED = "there is no option --nam; did you mean '--name'? may be: --debug, --help, --json, --name"


def greet(name: Annotated[str, typer.Option(help="whom")] = "you", times: int = 1) -> None:
    """Greet somebody."""
    command.emit({"greeting": [f"hello {name}"] * times})


def raising(error: BaseException):
    def work() -> None:
        """Fail."""
        raise error

    return work


def test_the_result_goes_to_stdout_and_nothing_else_does(capsys: pytest.CaptureFixture[str]) -> None:
    command.say("working")
    assert command.run(greet, ["--name", "chip"], "greet") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"greeting": ["hello chip"]}
    assert err == "working\n"


def test_words_come_from_the_command_line_by_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["greet", "--name", "argv"])
    assert command.run(greet, None, "greet") == 0
    assert "hello argv" in capsys.readouterr().out


def test_help_names_the_verb_and_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(greet, ["--help"], "greet") == 0
    out, err = capsys.readouterr()
    assert "spikewright greet" in out
    assert "--name" in out
    assert "--debug" in out
    assert err == ""


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("a: is b; may be c"), 2), (AnswerIsNo("3 uJ is over 2 uJ"), 1)], ids=["input", "no"]
)
def test_a_failure_is_one_line_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(raising(error), [], "fail") == code
    assert capsys.readouterr() == ("", f"error: {error}\n")


def test_debug_shows_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(raising(InputError("no")), ["--debug"], "fail") == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith("error: no\n")


def test_a_defect_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    line = raising.__code__.co_firstlineno + 3
    assert command.run(raising(ZeroDivisionError("division by zero")), [], "fail") == 70
    assert capsys.readouterr().err == (
        f"error: spikewright fail hit a defect of its own, ZeroDivisionError at test_command.py:{line}: "
        "division by zero; please report it with the traceback that --debug shows\n"
    )


def test_an_interrupt_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(raising(KeyboardInterrupt()), [], "fail") == 130
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_returned_or_raised_exit_code_is_kept(code: int) -> None:
    assert command.run(lambda: code, [], "work") == code
    assert command.run(raising(typer.Exit(code)), [], "work") == code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nam", "x"], "there is no option --nam; did you mean '--name'? may be: --debug, --help, --name, --times"),
        (
            ["--times", "soon"],
            "invalid value for '--times': Input should be a valid integer, unable to parse string as an integer",
        ),
        (["--name"], "option '--name' requires an argument"),
        (["surplus"], "got unexpected extra argument(s) (surplus)"),
    ],
)
def test_wrong_flags_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(greet, words, "greet") == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {message} (spikewright greet --help lists what there is)\n")


def failing(name: str = "you", as_json: command.Json = False) -> None:
    """Fail, for some names behind the result."""
    if name == "late":
        command.emit({"greeting": name})
    if name == "defect":
        raise KeyError("lost")
    kind = AnswerIsNo if name == "late" else InputError
    raise kind(f"{arg('name', name)}: as_json is {as_json}")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--json"], {"error": "--name you: as_json is True", "exit_code": 2}),
        (["--name", "late", "--json"], {"greeting": "late"}),
        (
            ["--nam", "x", "--json"],
            {"error": f"{MISTYPED} (spikewright fail --help lists what there is)", "exit_code": 2},
        ),
    ],
)
def test_a_failure_is_json_too_where_no_result_is(
    words: list[str], found: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    code = command.run(failing, words, "fail")
    out, err = capsys.readouterr()
    assert json.loads(out) == found
    assert code == found.get("exit_code", 1)
    assert err.startswith(f"error: {found.get('error', '--name late')}")
    assert command.run(failing, [word for word in words if word != "--json"], "fail") == code
    assert capsys.readouterr().out == ('{\n  "greeting": "late"\n}\n' if "late" in words else "")


def test_a_defect_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(failing, ["--name", "defect", "--json"], "fail") == 70
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == 70
    assert found["error"].startswith("spikewright fail hit a defect of its own, KeyError at test_command.py:")


@pytest.mark.parametrize("verb", ["lower", "to-nir", "simulate", "drift", "report"])
def test_every_verb_says_in_json_that_a_file_cannot_be_read(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken").write_text("<html>404</html>", "utf-8")
    files = ["broken", "broken"] if verb in ("drift", "report") else ["broken"]
    assert cli.main([verb, *files, "--json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["exit_code"] == 2
    assert "broken" in found["error"]
    assert err.endswith(f"error: {found['error']}\n")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["broken"]


def test_a_verb_without_the_flag_prints_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(greet, ["--json"], "greet") == 2
    assert capsys.readouterr().out == ""


def test_a_number_that_json_does_not_have_is_a_failure() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        command.emit({"energy_j": float("nan")})


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with command.listeners().task("counting", 3) as advance:
        advance()
        advance(2)
    assert capsys.readouterr() == ("", "")


def test_progress_moves_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with command.listeners().task("counting", 3) as advance:
        advance(3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "counting" in err
    assert "3/3" in err


def test_a_reader_that_leaves_is_no_failure_of_ours(root: Path) -> None:
    script = (
        "from spikewright.commands.console import run, emit; import sys; "
        "sys.exit(run(lambda: emit('x' * 10**6), [], 'work'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
