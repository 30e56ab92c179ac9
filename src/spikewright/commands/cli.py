"""The console command ``spikewright``: a table of verbs, each imported only when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from typing import cast

from ..base.errors import did_you_mean
from ..base.version import __version__
from . import completion
from .console import DONE, say
from .streams import USAGE, guarded


@dataclass(frozen=True)
class Verb:
    """One word after ``spikewright``; the module of its name in ``commands`` has ``main(argv) -> int``.

    A word of Python's own has a module with an underscore behind its name.

    Attributes:
        help: one line for the overview.
        door: the script in a checkout that does the same, empty where there is none.
    """

    help: str
    door: str = ""


VERBS = {
    "run": Verb("All of it: teacher to student to NIR to chip to report"),
    "data": Verb("What data hold, and what each encoding makes of them"),
    "distill": Verb("Distil a teacher into a spiking student, within an energy budget", "train/distill.py"),
    "import": Verb("Take in a trained spiking network of snnTorch and other tools, proven", "convert/import.py"),
    "to-nir": Verb("Write a student as a NIR graph that computes the same", "convert/to_nir.py"),
    "lower": Verb("Turn a NIR graph into an integer network for a chip", "deploy/lower.py"),
    "simulate": Verb("Run a chip network on data and count what happens", "deploy/simulate.py"),
    "report": Verb("What the counts cost on a chip, and whether it fits", "hardware_profiles/report.py"),
    "sweep": Verb("Students for several energy budgets, and what accuracy each buys"),
    "compare": Verb("Distillation methods side by side, free and within the same energy"),
    "profiles": Verb("List the hardware profiles, or show one with its sources"),
    "methods": Verb("List the distillation methods, or show one with its equation and options"),
    "drift": Verb("Where float network and integers part ways on data, and why"),
    "check": Verb("Every finding in a NIR file"),
    "draw": Verb("A picture of a network, with shapes, constants and how busy it is"),
}


def module_of(verb: str) -> str:
    """The name of a verb's module."""
    name = verb.replace("-", "_")
    return f"spikewright.commands.{name}_" if iskeyword(name) else f"spikewright.commands.{name}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verb named by the first word, or say what verbs there are."""
    return guarded(lambda: _answer(argv))


def _answer(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if completion.is_asked(words):
        return completion.answer(words, {name: verb.help for name, verb in VERBS.items()}, module_of)
    if not words or words[0] in ("-h", "--help"):
        _print_overview()
        return DONE
    if words[0] == "--version":
        print(f"spikewright {__version__}")
        return DONE
    if words[0] in VERBS:
        return cast(int, import_module(module_of(words[0])).main(words[1:]))
    kind = "option" if words[0].startswith("-") else "verb"
    known = ("--help", "--version", *completion.WORDS) if kind == "option" else VERBS
    say(f"error: there is no {kind} {words[0]!r}; {did_you_mean(words[0], known)}")
    return USAGE


def _print_overview() -> None:
    from rich.table import Table
    from rich.text import Text

    from ..base.terminal import terminal

    table = Table.grid(padding=(0, 3))
    for name, verb in VERBS.items():
        table.add_row(Text(f"  {name}", style="bold cyan"), verb.help)
    console = terminal()
    console.print(Text.assemble(("Usage:", "bold"), " spikewright VERB [OPTIONS]\n"))
    console.print("From an ANN teacher to a spiking chip, inside an energy budget, and every spike accounted for.\n")
    console.print(table)
    console.print(
        "\nspikewright VERB --help says what a verb takes; spikewright --version says which one this is;\n"
        "spikewright --install-completion makes your shell complete verbs and flags."
    )
