"""Completion of verbs, flags and choices by the shell, by typer's own means.

``spikewright --install-completion`` writes the lines that the shell of the moment needs into its start-up files,
``--show-completion`` prints them. From then on the shell asks by the variable :data:`ASKED`. Verbs are imported when
one of their flags is to be completed, not before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

import typer
import typer.core
import typer.main

from .console import typer_command

ASKED = "_SPIKEWRIGHT_COMPLETE"
WORDS = ("--install-completion", "--show-completion")


def is_asked(words: Sequence[str]) -> bool:
    """Whether a shell asks for completions, or a person for the script that makes it ask."""
    return ASKED in os.environ or words[:1] in ([WORDS[0]], [WORDS[1]])


def answer(words: Sequence[str], verbs: Mapping[str, str], module_of: Callable[[str], str]) -> int:
    """Print what was asked for and return the exit code.

    Args:
        words: after ``spikewright``.
        verbs: by name, a line about it.
        module_of: gives the module of a verb.
    """

    class Verbs(typer.core.TyperGroup):
        def list_commands(self, _ctx: object) -> list[str]:
            return list(verbs)

        def get_command(self, _ctx: object, cmd_name: str) -> typer.core.TyperCommand | None:
            if cmd_name not in verbs:
                return None
            found = typer_command(import_module(module_of(cmd_name)).command)
            found.help = verbs[cmd_name]
            return found

    app = typer.Typer(cls=Verbs)
    app.callback()(lambda: None)
    try:
        typer.main.get_command(app).main(list(words), prog_name="spikewright", standalone_mode=False)
    except SystemExit as done:  # typer leaves in this way when it has answered
        if isinstance(done.__context__, BrokenPipeError):
            raise
        return int(done.code or 0)
    except typer.Exit as done:
        return done.exit_code
    return 0
