"""Every option of methods, regularizers and groups of settings: its default and its bounds, kept in ``options.txt``.

A default is behaviour: one that changes, changes the results of everybody who did not write it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from annotated_types import BaseMetadata
from pydantic_core import PydanticUndefined

from spikewright.base.options import Options
from spikewright.data.options import DataOptions
from spikewright.distillation.methods import METHODS, REGULARIZERS
from spikewright.training.settings import Budget, DataSettings, MethodSpec, StudentSpec, TeacherSpec, Training

FILE = Path(__file__).with_name("options.txt")
GROUPS = (DataOptions, DataSettings, TeacherSpec, MethodSpec, StudentSpec, Budget, Training)


def lines() -> Iterator[str]:
    named: dict[str, type[Options]] = {group.__name__: group for group in GROUPS}
    named |= {f"method {name}": kind for name, kind in METHODS.items()}
    named |= {f"regularizer {name}": kind for name, kind in REGULARIZERS.items()}
    for name, kind in sorted(named.items()):
        for option, info in kind.model_fields.items():
            default = "required" if info.default is PydanticUndefined else repr(info.default)
            bounds = " ".join(str(bound) for bound in info.metadata if isinstance(bound, BaseMetadata))
            yield f"{name}: {option} = {default} {bounds}".rstrip()


def test_defaults_and_bounds_are_what_they_were() -> None:
    assert list(lines()) == FILE.read_text("utf-8").splitlines()
