"""The console command ``spikewright``: a table of verbs, each imported only when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from ..base.errors import did_you_mean
from ..base.version import __version__
from .console import DONE, USAGE, say

Main = Callable[[Sequence[str] | None], int]


@dataclass(frozen=True)
class Verb:
    """One word after ``spikewright``.

    Attributes:
        module: below ``spikewright``; its ``main(argv) -> int`` is the command.
        help: one line for the overview.
        door: the script in a checkout that does the same, empty where there is none.
    """

    module: str
    help: str
    door: str = ""

    def load(self) -> Main:
        """Import the command's module and return its ``main``."""
        return cast(Main, import_module(f"spikewright.{self.module}").main)


VERBS = {
    "run": Verb("commands.run", "All of it: teacher to student to NIR to chip to report"),
    "data": Verb("commands.data", "What data hold, and what each encoding makes of them"),
    "distill": Verb(
        "commands.distill", "Distil a teacher into a spiking student, within an energy budget", "train/distill.py"
    ),
    "to-nir": Verb("commands.to_nir", "Write a student as a NIR graph that computes the same", "convert/to_nir.py"),
    "lower": Verb("commands.lower", "Turn a NIR graph into an integer network for a chip", "deploy/lower.py"),
    "simulate": Verb("commands.simulate", "Run a chip network on data and count what happens", "deploy/simulate.py"),
    "report": Verb(
        "commands.report", "What the counts cost on a chip, and whether it fits", "hardware_profiles/report.py"
    ),
    "sweep": Verb("commands.sweep", "Students for several energy budgets, and what accuracy each buys"),
    "compare": Verb("commands.compare", "Distillation methods side by side, free and within the same energy"),
    "profiles": Verb("commands.profiles", "List the hardware profiles, or show one with its sources"),
    "methods": Verb("commands.methods", "List the distillation methods, or show one with its equation and options"),
    "drift": Verb("commands.drift", "Where float network and integers part ways on data, and why"),
    "check": Verb("commands.check", "Every finding in a NIR file"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verb named by the first word, or say what verbs there are."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        _print_overview()
        return DONE
    if words[0] == "--version":
        print(f"spikewright {__version__}")
        return DONE
    if words[0] in VERBS:
        return VERBS[words[0]].load()(words[1:])
    kind = "option" if words[0].startswith("-") else "verb"
    known = ("--help", "--version") if kind == "option" else VERBS
    say(f"error: there is no {kind} {words[0]!r}; {did_you_mean(words[0], known)}")
    return USAGE


def _print_overview() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 3))
    for name, verb in VERBS.items():
        table.add_row(f"  [bold cyan]{name}[/]", verb.help)
    console = Console(highlight=False)
    console.print("[bold]Usage:[/] spikewright VERB [OPTIONS]\n")
    console.print("From an ANN teacher to a spiking chip, inside an energy budget, and every spike accounted for.\n")
    console.print(table)
    console.print("\nspikewright VERB --help says what a verb takes; spikewright --version says which one this is.")
