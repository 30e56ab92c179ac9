"""Mutants: what they change, and a seeded sample of them with equal shares for the groups of :data:`PLACES`."""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from types import CodeType

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

from campaigns.mutants.mutant import Mutant
from campaigns.mutants.places import PLACES, ROOT
from campaigns.mutants.swapped_names import SwappedNames

NEEDS_ARGUMENTS = {"core/VariableReplacer", "core/VariableInserter"}
ARITHMETIC = ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow")
ANNOTATION = {"annassign": 1, "tfpdef": 2}  # in parso's trees, which child it is
IDENTITY = ("Is", "IsNot")


def operator_of(name: str) -> Operator:
    return SwappedNames() if name == "SwappedNames" else get_operator(name)()


def mutated(source: str, operator: str, occurrence: int) -> str:
    text = mutate_code(source, operator_of(operator), occurrence)
    assert text is not None, f"{operator} has no occurrence {occurrence}"
    return text


def source_of(mutant: Mutant) -> str:
    """The text of the module with the change."""
    return mutated((ROOT / mutant.module).read_text(), mutant.operator, mutant.occurrence)


def names_of_operators() -> list[str]:
    """Cosmic Ray's operators that need no arguments, and our own."""
    theirs = (name for name in operator_names() if name not in NEEDS_ARGUMENTS and is_hard(name))
    return [*sorted(theirs), "SwappedNames"]


def is_hard(name: str) -> bool:
    """Whether a change is more than an error of types: ``+`` to ``-`` and not to ``<<``, ``is`` to ``is not`` alone."""
    kind, _, pair = name.partition("Operator_")
    if kind == "core/ReplaceBinary":
        old, new = pair.split("_")
        return (old in ARITHMETIC) == (new in ARITHMETIC)
    if kind == "core/ReplaceComparison":
        old, new = pair.split("_")
        return (old in IDENTITY) == (new in IDENTITY)
    return True


def decides_nothing(node: parso.tree.NodeOrLeaf) -> bool:
    """Whether ``node`` lies in an annotation, which this project never evaluates, or gives a type another name."""
    while node.parent is not None:
        parent = node.parent
        if parent.type in ANNOTATION and parent.children[ANNOTATION[parent.type]] is node:
            return True
        if parent.type == "funcdef" and parent.annotation is node:
            return True
        if parent.type == "expr_stmt" and any("TypeAlias" in child.get_code() for child in parent.children[1:2]):
            return True
        node = parent
    return False


def sites(source: str) -> dict[tuple[int, int, str], list[tuple[str, int, int]]]:
    """Where a module can be changed: (line, column, family) to the changes there: (operator, occurrence, last line).

    Changes of one place by operators of one family (``+`` to ``-``, to ``*``, ...) are one site, so that a place with
    many possible changes is not drawn more often than one with two.
    """
    found: dict[tuple[int, int, str], list[tuple[str, int, int]]] = defaultdict(list)
    nodes = list(ast_nodes(parso.parse(source)))
    for name in names_of_operators():
        operator, occurrence = operator_of(name), 0
        for node in nodes:
            for start, end in operator.mutation_positions(node):
                if not decides_nothing(node):
                    found[start[0], start[1], name.split("_")[0]].append((name, occurrence, end[0]))
                occurrence += 1
    return found


def drawn(group: str, count: int, generator: random.Random) -> Iterator[Mutant]:
    """``count`` mutants of a group (all sites, where it has fewer), one change at each of so many sites."""
    choices = []
    for path in PLACES[group].modules():
        for site, changes in sorted(sites(path.read_text()).items()):
            choices.append((path, site, changes))
    generator.shuffle(choices)
    made = 0
    for path, (line, _, _), changes in choices:
        if made == count:
            return
        operator, occurrence, end_line = generator.choice(changes)
        mutant = described(group, path, operator, occurrence, line, end_line)
        if mutant is not None:
            made += 1
            yield mutant


def compiled(text: str, path: Path) -> CodeType | None:
    """The code of a module; None where the text is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return compile(text, str(path), "exec")
        except SyntaxError:
            return None


def described(group: str, path: Path, operator: str, occurrence: int, line: int, end_line: int) -> Mutant | None:
    """The mutant with the line that differs; None where the program stays the same or is no Python any more."""
    source = path.read_text()
    text = mutated(source, operator, occurrence)
    code = compiled(text, path)
    if code is None or code == compiled(source, path):  # 1e30 + 1 is 1e30
        return None
    changes = [change for change in unified_diff(source.splitlines(), text.splitlines(), n=0) if change[0] in "-+"][2:]
    if not changes:
        return None
    before, after = (" / ".join(change[1:].strip() for change in changes if change[0] == sign) for sign in "-+")
    module = path.relative_to(ROOT).as_posix()
    return Mutant(group, module, operator, occurrence, line, end_line, before, after)


def sample(count: int, seed: int, groups: list[str]) -> list[Mutant]:
    """About ``count`` mutants; a group with too few sites gives all of them, and the others share what it lacks."""
    found: list[Mutant] = []
    by_size = sorted(groups, key=lambda group: sum(len(sites(path.read_text())) for path in PLACES[group].modules()))
    for position, group in enumerate(by_size):
        share = round((count - len(found)) / (len(by_size) - position))
        found += drawn(group, share, random.Random(f"{seed} {group}"))
    random.Random(seed).shuffle(found)
    return found
