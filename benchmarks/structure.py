"""How the package is built: sizes, imports between its packages, circles, and where the neuron's equations stand.

    python benchmarks/structure.py                    # this checkout, with the layers of pyproject.toml
    python benchmarks/structure.py --root ../other --layers "train convert deploy ." --json

Nothing is imported; every module is parsed. A *package* is a folder directly below ``src/spikewright``; ``.`` stands
for the modules beside these folders (``__init__`` and ``__main__`` apart, which belong to no package). An *edge* is a
pair of modules of which one imports the other, wherever the import stands: at the head, in a function, or for type
checkers only. Modules that are named in strings and loaded later (the tables of commands and simulators) make no edge.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import comb
from pathlib import Path
from statistics import median

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = "spikewright"
ROOT_PACKAGE = "."
ENTRIES = ("__init__.py", "__main__.py")
OPTIONAL = ("lava", "optuna", "safetensors", "sqlalchemy", "tonic", "mlxtend", "mnist1d", "torch.utils.tensorboard")
"""Dependencies of extras: they may be missing, so they are imported where they are used."""
LAZY = ("commands",)
"""Packages whose functions import what they need, so that ``--help`` loads nothing heavy."""
LAW = "chip"
"""The package where the equations of neurons belong."""
KERNELS: Mapping[str, str] = {
    "simulation/kernel.py": "tests/unit/test_law.py",
    "kernels/gradients.py": "tests/unit/test_compiled_steps.py",
    "kernels/neurons.py": "tests/unit/test_events.py",
    "kernels/steps.py": "tests/unit/test_compiled_steps.py",
}
"""Modules that step neurons themselves for speed, each with the test that holds it to the law."""
DECAY = re.compile(r"(?:^|_)(?:keep|beta|alpha|decay|retain)(?:_|$)")
STATE = re.compile(r"(?:^|_)(?:u|v|mem|membranes?|potentials?|currents?|synaptics?|states?|values?)$")
PRODUCTS = ("mul", "mul_", "multiply")
WIDEST = 5


@dataclass(frozen=True, eq=False)
class Module:
    """One file of the package.

    Attributes:
        path: below ``src/spikewright``, with slashes.
    """

    path: str
    lines: int
    tree: ast.Module

    @property
    def package(self) -> str | None:
        """The folder directly below ``src/spikewright``; None for ``__init__`` and ``__main__`` of the whole."""
        folder, slash, _ = self.path.partition("/")
        return folder if slash else (None if self.path in ENTRIES else ROOT_PACKAGE)


@dataclass(frozen=True)
class Measures:
    """What :func:`measure` finds.

    Attributes:
        lines: of all modules; ``package_lines`` of each package.
        edges: between modules of different packages; ``upward`` those that point to a higher layer, as ``(from, to)``.
        mutual: pairs of packages that import each other.
        circles: strongly connected components of more than one module, the largest first.
        local_optional, local_other: import statements in functions, :data:`LAZY` left out, by what they import.
        widest: modules that import the most others of the package, each with their number.
        function_lines: median, 99th percentile and largest length of a function, its docstring left out.
        longest: the function of that length.
        law: modules outside :data:`LAW` and :data:`KERNELS` that step a neuron; see :func:`steps_a_neuron`.
    """

    modules: int
    lines: int
    package_lines: dict[str, int]
    root_modules: int
    edges: int
    upward: list[tuple[str, str]]
    mutual: list[tuple[str, str]]
    circles: list[list[str]]
    local_optional: int
    local_other: int
    widest: list[tuple[str, int]]
    function_lines: tuple[float, int, int]
    longest: str
    law: list[str]
    kernels: list[str]

    @property
    def largest_package(self) -> tuple[str, float]:
        """The package with most lines, and its share of all lines."""
        name = max(self.package_lines, key=lambda each: self.package_lines[each])
        return name, self.package_lines[name] / self.lines

    def rows(self) -> Iterator[tuple[str, str]]:
        """The table of measures, in words and numbers."""
        middle, high, most = self.function_lines
        largest, share = self.largest_package
        yield "modules", f"{self.modules}"
        yield "lines", f"{self.lines:,}"
        yield "packages", f"{len(self.package_lines)}"
        yield "largest package", f"{largest}, {share:.1%} of the lines"
        yield "modules beside the packages", f"{self.root_modules}"
        yield "imports between packages", f"{self.edges}"
        yield "of these, upwards", f"{len(self.upward)}"
        yield "pairs of packages that import each other", f"{len(self.mutual)} of {comb(len(self.package_lines), 2)}"
        yield "circles of modules", f"{len(self.circles)}" + _of_sizes(self.circles)
        yield "imports inside functions, commands apart", f"{self.local_optional + self.local_other}"
        yield "of these, not of an optional dependency", f"{self.local_other}"
        yield "modules that import most others", ", ".join(f"{path} {count}" for path, count in self.widest)
        yield "lines of a function: median, 99th percentile, most", f"{middle:g}, {high}, {most} ({self.longest})"
        yield "modules that step a neuron themselves", f"{len(self.law)}" + _listed(self.law)
        yield "kernels that a test holds to the law", f"{len(self.kernels)}" + _listed(self.kernels)


class Checkout:
    """The modules of a checkout and what they import.

    Args:
        root: the checkout, which has ``src/spikewright``.

    Raises:
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        source = root / "src" / PACKAGE
        if not source.is_dir():
            raise FileNotFoundError(f"{source} is no folder")
        texts = {path.relative_to(source).as_posix(): path.read_text("utf-8") for path in sorted(source.rglob("*.py"))}
        self.modules = {path: Module(path, text.count("\n"), ast.parse(text)) for path, text in texts.items()}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """By module, the modules of the package that it imports."""
        return {
            path: {target for node in ast.walk(module.tree) for target in self._targets(path, node)} - {path}
            for path, module in self.modules.items()
        }

    @cached_property
    def package_lines(self) -> dict[str, int]:
        """How many lines the modules of each package have together."""
        lines: dict[str, int] = {}
        for module in self.modules.values():
            if module.package is not None:
                lines[module.package] = lines.get(module.package, 0) + module.lines
        return lines

    def _targets(self, path: str, node: ast.AST) -> Iterator[str]:
        """The modules of the package that one import statement names."""
        if isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            for alias in node.names:
                yield from self._file([*base, alias.name]) or self._file(base)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from self._file(alias.name.split("."))

    def _file(self, dotted: Sequence[str]) -> list[str]:
        """The file of a module of the package, if it is one."""
        if dotted[:1] != [PACKAGE]:
            return []
        name = "/".join(dotted[1:])
        return [file for file in (f"{name}.py", f"{name}/__init__.py".lstrip("/")) if file in self.modules]


def measure(root: Path, layers: Sequence[str]) -> Measures:
    """Measure a checkout.

    Args:
        layers: its packages from the top down; an import of a package that is named earlier points upwards. Packages
            that are not named have no layer, so that no import of theirs does.
    """
    checkout = Checkout(root)
    modules, rank = checkout.modules, {name: place for place, name in enumerate(layers)}
    package_of = {path: module.package for path, module in modules.items()}
    crossing = [
        (path, target, str(package_of[path]), str(package_of[target]))
        for path, targets in sorted(checkout.imports.items())
        for target in sorted(targets)
        if package_of[path] != package_of[target] and None not in (package_of[path], package_of[target])
    ]
    between = {(importer, imported) for *_, importer, imported in crossing}
    ranked = [each for each in crossing if each[2] in rank and each[3] in rank]
    local = [node for path, module in modules.items() if package_of[path] not in LAZY for node in _local(module.tree)]
    optional = sum(_is_optional(node) for node in local)
    functions = sorted(_functions(modules.values()))
    sizes = [size for size, _ in functions]
    stepping = {path for path, module in modules.items() if module.package != LAW and steps_a_neuron(module.tree)}
    return Measures(
        modules=len(modules),
        lines=sum(module.lines for module in modules.values()),
        package_lines=checkout.package_lines,
        root_modules=sum(package == ROOT_PACKAGE for package in package_of.values()),
        edges=len(crossing),
        upward=[(path, target) for path, target, above, below in ranked if rank[below] < rank[above]],
        mutual=sorted(pair for pair in between if pair[0] < pair[1] and pair[::-1] in between),
        circles=circles(checkout.imports),
        local_optional=optional,
        local_other=len(local) - optional,
        widest=sorted(((p, len(t)) for p, t in checkout.imports.items() if p not in ENTRIES), key=_by_size)[:WIDEST],
        function_lines=(median(sizes), sizes[99 * len(sizes) // 100], sizes[-1]),
        longest=functions[-1][1],
        law=sorted(stepping - KERNELS.keys()),
        kernels=sorted(stepping & KERNELS.keys()),
    )


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node, the largest first (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []
    for start in sorted(imports):
        work = [] if start in index else [(start, iter(sorted(imports[start])))]
        while work:
            node, targets = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found.append([stack.pop() for _ in range(len(stack) - stack.index(node))])
            elif target not in index:
                work.append((target, iter(sorted(imports.get(target, ())))))
            elif target in stack:
                low[node] = min(low[node], index[target])
    return sorted((sorted(each) for each in found if len(each) > 1), key=lambda each: (-len(each), each))


def steps_a_neuron(tree: ast.AST) -> bool:
    """Whether a module multiplies a neuron's state by its decay factor, which every step of a leaky neuron must do.

    Found are products, ``a * b``, ``a.mul_(b)`` or ``torch.mul(a, b)``, of a variable named for a state (:data:`STATE`:
    ``u``, ``membrane``, ``current`` ...) and one named for the share of it that a step leaves (:data:`DECAY`:
    ``keep_v``, ``beta``, ``alpha`` ...; also divided by a constant). Conversions between time constants and registers
    are no such products, and neither are the gradients of a step, which multiply gradients.
    """
    for node in ast.walk(tree):
        names = [_name(factor) for factor in _factors(node)]
        if any(STATE.search(name) for name in names) and any(DECAY.search(name) for name in names):
            return True
    return False


def layers_of(root: Path) -> list[str]:
    """The packages from the top down, as the import contract in ``pyproject.toml`` lists them; empty without one."""
    tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]
    contracts = tools.get("importlinter", {"contracts": []})["contracts"]
    return [str(name) for contract in contracts if contract["type"] == "layers" for name in contract["layers"]]


def _absolute(path: str, node: ast.ImportFrom) -> list[str]:
    """The module that ``from ... import`` names, from the package on."""
    named = node.module.split(".") if node.module else []
    if not node.level:
        return named
    folder = [PACKAGE, *path.split("/")[:-1]]
    return folder[: len(folder) - node.level + 1] + named


def _local(tree: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """Import statements inside functions, each once."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node): node for function in functions for node in ast.walk(function)}
    return [node for node in inside.values() if isinstance(node, ast.Import | ast.ImportFrom)]


def _is_optional(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom) and node.level:
        return False
    names = [str(node.module)] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return all(any(f"{name}.".startswith(f"{package}.") for package in OPTIONAL) for name in names)


def _functions(modules: Iterable[Module]) -> Iterator[tuple[int, str]]:
    """Length and name of every function and method; the docstring does not count."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                is_text = ast.get_docstring(node, clean=False) is not None
                text = (first.end_lineno or first.lineno) - first.lineno + 1 if is_text else 0
                yield (node.end_lineno or node.lineno) - node.lineno + 1 - text, f"{module.path}:{node.name}"


def _factors(node: ast.AST) -> Sequence[ast.expr]:
    """What a product multiplies; empty for any other expression."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return node.left, node.right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRODUCTS:
        return (node.func.value, *node.args)[-2:] if len(node.args) == 1 else node.args[:2]
    return ()


def _name(node: ast.expr) -> str:
    """The variable that a factor is: ``self.keep_u`` and ``keep_u[t]`` are ``keep_u``, as is ``keep_u / 4096``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _name(node.left)
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _by_size(each: tuple[str, int]) -> tuple[int, str]:
    return -each[1], each[0]


def _of_sizes(groups: Sequence[Sequence[str]]) -> str:
    return f" (of {', '.join(str(len(group)) for group in groups)} modules)" if groups else ""


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def main(words: Sequence[str] | None = None) -> None:
    """Print the measures of a checkout as a table in Markdown, or everything as JSON."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="the checkout")
    parser.add_argument("--layers", help="its packages from the top down, apart by blanks; . for modules beside them")
    parser.add_argument("--json", action="store_true", help="everything, each upward import by name")
    given = parser.parse_args(words)
    layers = given.layers.split() if given.layers else layers_of(given.root)
    if not layers:
        parser.error(f"{given.root / 'pyproject.toml'} has no import contract: give --layers")
    found = measure(given.root, layers)
    if given.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        print(
            "| measure | value |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in found.rows()), sep="\n"
        )


if __name__ == "__main__":
    main()
