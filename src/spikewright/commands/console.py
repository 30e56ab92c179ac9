"""How every command behaves: flags, exit codes, progress, and where its words go.

stdout carries the result and nothing else; stderr carries progress and remarks. Under ``--json`` stdout is one JSON
object in any case: the result, or the error where there is none. Exit codes: 0 done, 1 ran and the
answer is no, 2 wrong input or flags, 70 a defect of ours (sysexits' EX_SOFTWARE), and as a shell says it 128 and the
number of a signal: 130 interrupted, 143 and 129 asked to end (SIGTERM, SIGHUP), 141 nobody reads stdout any more.
"""

from __future__ import annotations

import errno
import inspect
import json
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
import typer.core
import typer.main
from rich.console import RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..base.errors import InputError, SpikewrightError, did_you_mean, with_flags
from ..base.interrupt import Interrupted
from ..base.progress import Callback, Kind, Listeners
from ..base.started import started
from ..base.terminal import terminal
from ..base.visible import visible
from . import streams
from .panels import Command
from .streams import USAGE

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..training.settings import DistillSettings

DONE = 0
DEFECT = 70

Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]
"""The flag of every command that can print its result as JSON."""
TimeStep = Annotated[float | None, typer.Option("--dt", help="seconds per step, where the file does not say")]
Producer = Annotated[
    str | None,
    typer.Option(
        "--producer",
        help="tool that wrote the file, where its parameters do not say: snntorch, lava, spikingjelly, sinabs, norse, "
        "norse-paper, rockpool, spyx, nengo, spikewright, sinabs-unnormed",
    ),
]
Reset = Annotated[
    str | None,
    typer.Option("--reset", help="of neurons that spike, where the file does not say: zero, subtract, subtract-late"),
]
"""The flags of every command that reads a graph of another tool."""
KeepTeacher = Annotated[
    Path | None,
    typer.Option(
        "--keep-teacher",
        help="also write the teacher that is trained here, as an ONNX model",
        rich_help_panel="Teacher",
    ),
]
"""The flag of commands that train a teacher."""

_OF_THE_SYSTEM = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP,
    errno.ENOTDIR, errno.EISDIR, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE,
}  # fmt: skip
"""What a file system or a limit of the system says of a path that somebody gave; no defect of ours."""

SHARED = ("distill",)
"""Commands that several processes, as torchrun starts them, do together."""

_HELD: ContextVar[ExitStack] = ContextVar("held")
_EMITTED: ContextVar[list[object]] = ContextVar("emitted")
"""What the command that runs has printed as JSON."""
_DEBUG, _JSON = "--debug", "--json"
_EPILOG = "With --debug an error shows its traceback. Exit codes: 0 done, 1 the answer is no, 2 wrong input or flags."


def run(function: Callable[..., object], argv: Sequence[str] | None, name: str) -> int:
    """Run one command function on command-line words and return its exit code.

    Args:
        function: what Typer reads flags and help from; an int that it returns becomes the exit code.
        argv: words after the command's name; None takes them from ``sys.argv``.
        name: the verb, as in ``spikewright NAME``.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return streams.guarded(lambda: _run(typer_command(function), words, name))


def _run(command: typer.core.TyperCommand, words: Sequence[str], name: str) -> int:
    debug, emitted = _DEBUG in words, list[object]()
    _EMITTED.set(emitted)
    try:
        # Not command.main(): it answers a closed stdout and an interrupt itself, with exit codes of its own.
        with (
            command.make_context(f"spikewright {name}", [word for word in words if word != _DEBUG]) as context,
            _until_the_end(),
        ):
            _alone_unless_shared(name)
            code = command.invoke(context)
        sys.stdout.flush()
    except KeyboardInterrupt as stopped:
        return streams.stopped(stopped, _how_to_go_on(stopped, words, name, command))
    except typer.Abort:
        return streams.stopped(KeyboardInterrupt())
    except typer.Exit as leave:
        return leave.exit_code
    except Exception as error:
        if streams.is_of_output(error):
            raise
        told, code = _fail(error, name, debug, command)
        if _JSON in words and not emitted and any(_JSON in each.opts for each in command.params):
            emit({"error": told, "exit_code": code})
    return code if isinstance(code, int) else DONE


def _alone_unless_shared(name: str) -> None:
    """Refuse a command of which several processes were started, each of which would do all of it.

    Raises:
        InputError: they were, and the command is not one that they share.
    """
    if (size := started().size) > 1 and name not in SHARED:
        raise InputError(
            f"{name}: {size} processes were started, and each would do all of it; processes share "
            f"{' and '.join(SHARED)} alone: start one"
        )


@contextmanager
def _until_the_end() -> Iterator[None]:
    """What a command holds, it holds until its end."""
    with ExitStack() as held:
        former = _HELD.set(held)
        try:
            yield
        finally:
            _HELD.reset(former)


def hold(*outputs: Path | None, reads: Sequence[Path | str | None] = ()) -> None:
    """Be the only one who writes these files until the command ends; None is none.

    Args:
        reads: files that the command reads, which are not written over.

    Raises:
        InputError: one of them is written twice, or is read; cannot be written; or somebody else writes it.
    """
    from ..base.lock import only_writer

    written = [output for output in outputs if output is not None]
    apart(written, reads)
    _HELD.get().enter_context(only_writer(*written, listeners=listeners()))


def apart(written: Sequence[Path], reads: Sequence[Path | str | None]) -> None:
    """Refuse files that are written twice, or over what is read.

    Raises:
        InputError: the first of them.
    """
    places = [os.path.realpath(output) for output in written]
    read = {os.path.realpath(each) for each in reads if each}
    for number, (output, place) in enumerate(zip(written, places, strict=True)):
        if place in places[:number]:
            raise InputError(f"{output}: is the place of two outputs; give each a path of its own")
        if place in read:
            raise InputError(f"{output}: is read by this command, and would be written over; choose another path")


def read_by(settings: DistillSettings) -> list[Path | str | None]:
    """What a training reads, as far as it may be a file."""
    student, teacher, data = settings.student, settings.teacher, settings.data
    unlabelled = data.unlabelled if isinstance(data.unlabelled, str) else None
    return [student.init, teacher.name, teacher.weights, data.name, unlabelled]


def main_of(function: Callable[..., object], name: str) -> Callable[..., int]:
    """The entry point of a command: :func:`run` of its function, on command-line words."""

    def main(argv: Sequence[str] | None = None) -> int:
        return run(function, argv, name)

    return main


def typer_command(function: Callable[..., object]) -> typer.core.TyperCommand:
    """The parsed form of a command function: its flags and its help."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    # Typer keeps the line breaks of a docstring; a terminal has its own width.
    text = escape("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    names = {"help_option_names": ["-h", "--help"]}
    app.command(cls=Command, help=text, epilog=_EPILOG, context_settings=names)(function)
    return cast(typer.core.TyperCommand, typer.main.get_command(app))


def emit(value: object) -> None:
    """Print one JSON object on stdout: the result of a command under ``--json``."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    _EMITTED.get([]).append(value)


def say(text: str) -> None:
    """Print a line on stderr: what is being done, what was assumed, where a file went."""
    streams.complain(visible(text))


def out(text: str) -> None:
    """Print lines on stdout: the result of a command that is text."""
    sys.stdout.write(visible(text) + "\n")


def notes(dataset: Dataset) -> None:
    """Say on stderr what was assumed when data were read."""
    for note in dataset.notes:
        say(f"note: {with_flags(note, {})}")


class ProgressBar(Callback):
    """Shows a call on stderr: its messages as lines, and a progress bar for its task where stderr is a terminal."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def on_message(self, text: str, kind: Kind) -> None:
        words = with_flags(text, {})
        say(words if kind == "info" else f"{kind}: {words}")

    def on_start(self, task: str, total: int) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=terminal(stderr=True), transient=True)
            self._bar.start()
        self._tasks[task] = self._bar.add_task(task, total=total)

    def on_advance(self, task: str, steps: int) -> None:
        if self._bar is not None:
            self._bar.advance(self._tasks[task], steps)

    def on_end(self, task: str) -> None:
        if self._bar is None:
            return
        ended = self._tasks.pop(task)
        if self._tasks:
            self._bar.remove_task(ended)
        else:
            self._bar.stop()
            self._bar = None


def listeners() -> Listeners:
    """The command line as the only listener of a call."""
    return Listeners((ProgressBar(),))


def print_result(*parts: RenderableType, width: int, crop: bool = True) -> None:
    """Print tables and text on stdout below each other, ``width`` columns wide where that is no terminal."""
    terminal(width=None if sys.stdout.isatty() else width).print(*parts, sep="\n", crop=crop)


def _fail(error: Exception, name: str, debug: bool, command: typer.core.TyperCommand) -> tuple[str, int]:
    """Say what failed on stderr; returns the words and the exit code."""
    if debug:
        traceback.print_exception(error)
    words, code = _told(error, name, command)
    here = started()
    if here.speaks:
        say(f"error: {words}")
    elif here.speaks_of_faults or not isinstance(error, SpikewrightError | typer.TyperException):
        say(f"error: process {here.rank}: {words}")
    return words, code


def _told(error: Exception, name: str, command: typer.core.TyperCommand) -> tuple[str, int]:
    if isinstance(error, SpikewrightError):
        return with_flags(error, _flags_of(command)), error.exit_code
    if isinstance(error, typer.TyperException):
        return f"{_usage_message(error)} (spikewright {name} --help lists what there is)", USAGE
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        of = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{of}the system refuses it ({error.strerror}); choose another path, or change what it allows", USAGE
    if _is_of_memory(error):
        return f"spikewright {name} needs more memory than it may have; free some, or give it smaller work", USAGE
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    return (
        f"spikewright {name} hit a defect of its own, {where}: {error}; "
        f"please report it with the traceback that {_DEBUG} shows",
        DEFECT,
    )


def _is_of_memory(error: Exception) -> bool:
    """Whether memory was asked for that is not there; torch has no error of its own for that."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def _how_to_go_on(stopped: KeyboardInterrupt, words: Sequence[str], name: str, command: typer.core.TyperCommand) -> str:
    """What to do after an interrupt, and the command for it; empty where there is nothing to go on with."""
    if not isinstance(stopped, Interrupted):
        return ""
    flags = _flags_of(command)
    if not stopped.flags:  # the same command: somebody has just typed it, maybe with a password in an address
        return with_flags(stopped.message, flags)
    more = [flags[each] for each in stopped.flags if flags[each] not in words]
    return f"{with_flags(stopped.message, flags)}: {shlex.join(['spikewright', name, *words, *more])}"


def _flags_of(command: typer.core.TyperCommand) -> dict[str, str]:
    """By parameter of a command function, its flag; of a positional argument, its name as the help shows it."""
    long = {p.name or "": [word for word in p.opts if word.startswith("--")] for p in command.params}
    return {name: words[0] if words else name.upper() for name, words in long.items()}


def _usage_message(error: typer.TyperException) -> str:
    option = getattr(error, "option_name", None)
    context = getattr(error, "ctx", None)
    if type(error).__name__ != "NoSuchOption" or option is None or context is None:
        # Whether this prefix of pydantic's comes along depends on Typer's version.
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        return message[:1].lower() + message[1:]
    known = {word for parameter in context.command.params for word in parameter.opts if word.startswith("--")}
    return f"there is no option {option}; {did_you_mean(option, known | {_DEBUG, '--help'})}"
