"""Which tests run the lines of a mutant, quickest first."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import coverage

from campaigns.mutants.mutant import Mutant
from campaigns.mutants.places import ROOT

FIRST_FILES, FIRST_TESTS = 3, 15
DECLARED = ["tests/unit/test_frozen.py", "tests/golden/test_options.py"]
"""Tests of what is declared when a module is imported: whether classes can change, defaults and bounds of options."""

IN_CHILDREN = {"src/spikewright/simulation/netx.py": ["tests/agreement/test_simulators_agree.py"]}
"""Tests of modules whose lines run in a process of Lava, where they are not measured."""


@dataclass
class Covering:
    """What :mod:`campaigns.mutants.contexts` wrote.

    Attributes:
        seconds: of each test that passed.
        tests: the tests that run each line of each module.
        reach: how many of these lines each test runs.
    """

    seconds: dict[str, float]
    tests: dict[str, dict[int, set[str]]]
    reach: Counter[str]

    @classmethod
    def read(cls, folder: Path) -> Covering:
        seconds: dict[str, float] = {}
        for file in sorted(folder.glob("seconds.*.json")):
            seconds.update(json.loads(file.read_text())["seconds"])
        tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for file in sorted(folder.glob("lines.*")):
            data = coverage.CoverageData(str(file))
            data.read()
            for path in data.measured_files():
                module = Path(path).relative_to(ROOT).as_posix()
                for line, names in data.contexts_by_lineno(path).items():
                    tests[module][line] |= {name for name in names if name in seconds}
        reach = Counter(name for lines in tests.values() for names in lines.values() for name in names)
        return cls(seconds, tests, reach)

    def tests_of(self, mutant: Mutant, limit: float) -> list[list[str]]:
        """Tests that run a changed line, for ``limit`` seconds together; for a line that runs at import, the module's.

        Returns:
            Tests to run first, which are quick and run little else, from few files; then the others, where the fourth
            and later cases of a parametrized test come last. Where no test runs the line, because it runs when its
            module is imported or in another process, :data:`DECLARED` and :data:`IN_CHILDREN` come between.
        """
        lines = self.tests[mutant.module]
        found: set[str] = set().union(*(lines.get(line, ()) for line in range(mutant.line, mutant.end_line + 1)))
        between = [] if found else [*DECLARED, *IN_CHILDREN.get(mutant.module, [])]
        found = found or set().union(*lines.values())
        ordered = sorted(found, key=lambda name: ((self.seconds[name] + 0.1) * self.reach[name], name))
        first, files = [], set()
        for name in ordered:
            files.add(_file(name))
            if len(files) <= FIRST_FILES and len(first) < FIRST_TESTS:
                first.append(name)
        later, cases, spent = [], Counter[str](), 0.0
        for name in sorted(found - set(first), key=lambda name: (self.seconds[name], name)):
            cases[name.split("[")[0]] += 1
            later.append((cases[name.split("[")[0]] > 3, name))
        chosen = []
        for _, name in sorted(later, key=lambda pair: pair[0]):
            spent += self.seconds[name]
            if spent <= limit:
                chosen.append(name)
        return [stage for stage in (first, between, chosen) if stage]


def _file(test: str) -> str:
    return test.partition("::")[0]
