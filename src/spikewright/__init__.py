"""From an ANN teacher to a spiking chip, inside an energy budget, and every spike accounted for.

The names below are imported when they are first used, so that ``import spikewright`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .base.shown import VIEWS
from .base.version import __version__

if TYPE_CHECKING:
    from .augmentation import transforms
    from .base.errors import AnswerIsNo, InputError
    from .base.progress import Callback
    from .bench.compare.compare import compare
    from .bench.run import run
    from .bench.sweep.sweep import sweep
    from .chip.activity import Activity
    from .chip.network import ChipNetwork
    from .commands.console import ProgressBar
    from .data.dataset import Dataset
    from .data.load import load
    from .distillation import methods
    from .distillation.methods import parse
    from .divergence.drift import drift
    from .exchange.lava_script import write_lava
    from .exchange.netx import write_netx
    from .exchange.netx_reader import read_netx
    from .graph.foreign import Interpretation, interpret
    from .graph.translation import translate
    from .lowering.lower import lower
    from .notebook import plot
    from .notebook.views import show
    from .pages.card.card import model_card
    from .pages.drawing.draw import draw
    from .pages.pricing import report
    from .profile.profile import HardwareProfile, load_profile
    from .simulation.simulate import simulate
    from .student.config import StudentConfig
    from .student.student import Student, load_student, save_student
    from .student.to_nir import to_nir
    from .teachers.onnx_writer import write_onnx
    from .teachers.torch_teacher import Teacher
    from .training.callbacks import CsvCallback, LoggingCallback, TensorBoardCallback
    from .training.distill import distill
    from .training.result import Distillation
    from .training.settings import Budget, DataSettings, StudentSpec, TeacherSpec, Training

_HOMES = {
    "Activity": "chip.activity",
    "AnswerIsNo": "base.errors",
    "Budget": "training.settings",
    "Callback": "base.progress",
    "ChipNetwork": "chip.network",
    "CsvCallback": "training.callbacks",
    "DataSettings": "training.settings",
    "Dataset": "data.dataset",
    "Distillation": "training.result",
    "HardwareProfile": "profile.profile",
    "InputError": "base.errors",
    "Interpretation": "graph.foreign",
    "LoggingCallback": "training.callbacks",
    "ProgressBar": "commands.console",
    "Student": "student.student",
    "StudentConfig": "student.config",
    "StudentSpec": "training.settings",
    "Teacher": "teachers.torch_teacher",
    "TeacherSpec": "training.settings",
    "TensorBoardCallback": "training.callbacks",
    "Training": "training.settings",
    "compare": "bench.compare.compare",
    "distill": "training.distill",
    "draw": "pages.drawing.draw",
    "drift": "divergence.drift",
    "interpret": "graph.foreign",
    "load": "data.load",
    "load_profile": "profile.profile",
    "load_student": "student.student",
    "lower": "lowering.lower",
    "model_card": "pages.card.card",
    "parse": "distillation.methods",
    "read_netx": "exchange.netx_reader",
    "report": "pages.pricing",
    "run": "bench.run",
    "save_student": "student.student",
    "show": "notebook.views",
    "simulate": "simulation.simulate",
    "sweep": "bench.sweep.sweep",
    "to_nir": "student.to_nir",
    "write_lava": "exchange.lava_script",
    "write_netx": "exchange.netx",
    "write_onnx": "teachers.onnx_writer",
    "translate": "graph.translation",
}
_MODULES = {"methods": "distillation.methods", "plot": "notebook.plot", "transforms": "augmentation.transforms"}
VIEWS.live_in(f"{__name__}.notebook.views")

__all__ = [
    "Activity",
    "AnswerIsNo",
    "Budget",
    "Callback",
    "ChipNetwork",
    "CsvCallback",
    "DataSettings",
    "Dataset",
    "Distillation",
    "HardwareProfile",
    "InputError",
    "Interpretation",
    "LoggingCallback",
    "ProgressBar",
    "Student",
    "StudentConfig",
    "StudentSpec",
    "Teacher",
    "TeacherSpec",
    "TensorBoardCallback",
    "Training",
    "__version__",
    "compare",
    "distill",
    "draw",
    "drift",
    "interpret",
    "load",
    "load_profile",
    "load_student",
    "lower",
    "methods",
    "model_card",
    "parse",
    "plot",
    "read_netx",
    "report",
    "run",
    "save_student",
    "show",
    "simulate",
    "sweep",
    "to_nir",
    "transforms",
    "translate",
    "write_lava",
    "write_netx",
    "write_onnx",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: object) -> None:
    """What ``%load_ext spikewright`` does: IPython shows NIR graphs, whose class is nir's, by our view of them."""
    import_module(f"{__name__}.notebook.views").load(ipython)


def unload_ipython_extension(ipython: object) -> None:
    """What ``%unload_ext spikewright`` does: IPython shows NIR graphs as nir does again."""
    import_module(f"{__name__}.notebook.views").unload(ipython)
