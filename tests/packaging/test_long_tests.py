"""The list of tests that `make test` leaves out names tests that are there, and is made of a log of pytest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

LOG = """
12.30s call     tests/unit/test_a.py::test_one[case with spaces]
0.90s setup    tests/unit/test_a.py::test_one[case with spaces]
1.40s call     tests/unit/test_a.py::test_one[other]
1.20s call     tests/unit/test_b.py::test_two
1.60s call     tests/unit/test_b.py::test_three
9.00s call     tests/agreement/test_layers.py::test_lava_computes_the_same[a]
===== 5 passed in 30.00s =====
"""


def test_every_name_on_the_list_is_a_test(root: Path) -> None:
    names = (root / "tests" / "long.txt").read_text(encoding="utf-8").split()
    assert names == sorted(set(names))
    for name in names:
        file, _, function = name.rpartition("::")
        source = (root / file.partition("::")[0]).read_text(encoding="utf-8")
        assert re.search(rf"^ *def {function}\(", source, re.MULTILINE), f"{name} is gone; make the list anew"


def test_the_longest_case_counts(benchmark_file: Callable[[str], ModuleType], tmp_path: Path) -> None:
    script = benchmark_file("long_tests")
    found = script.longest(LOG)
    assert found["tests/unit/test_a.py::test_one"] == pytest.approx(13.2)
    assert found["tests/unit/test_b.py::test_two"] == 1.2
    script.LIST, log = tmp_path / "long.txt", tmp_path / "all.log"
    log.write_text(LOG)
    script.main(log, 1.5)
    assert script.LIST.read_text().split() == ["tests/unit/test_a.py::test_one", "tests/unit/test_b.py::test_three"]
