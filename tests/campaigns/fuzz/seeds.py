"""Valid files to begin with: small ones that the project makes itself, and those that lie in the repository."""

from __future__ import annotations

import contextlib
import io
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import lava_dl_files
import numpy as np
import snntorch as snn
from torch import nn

from spikewright.commands.cli import main
from spikewright.graph.nir_io import graph_bytes, read_graph
from spikewright.graph.readers import READERS
from spikewright.graph.translation import translate
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student, save_student
from spikewright.training import distill

ROOT = Path(__file__).resolve().parents[3]
LARGEST = 2**17
"""Bytes of a file from elsewhere in the repository that is still taken as a seed."""
QUICK = ("--method", "none", "--epochs", "1", "--width", "2", "-T", "2")


class Seeds:
    """Files of every kind, made once below a folder."""

    def __init__(self, folder: Path) -> None:
        """Make nothing yet.

        Args:
            folder: is there.
        """
        self._folder = self.folder = folder
        self._random = np.random.default_rng(0)

    @cached_property
    def _digits(self) -> Path:
        """A small convolutional network's artefacts, from student to report."""
        out = self._folder / "digits"
        _run("run", "--data", "digits", "--train-samples", "40", *QUICK, "--samples-lava", "0", "--out", out)
        return self._with_small_activity(out)

    @cached_property
    def _series(self) -> Path:
        """The same of series, whose input rule the files carry."""
        data, out = self._folder / "series.npz", self._folder / "series"
        np.savez(data, x=self._random.random((40, 6, 2)).astype(np.float32), y=np.arange(40) % 2)
        _run("run", "--data", data, "--layout", "series", *QUICK, "--architecture", "mlp", "--samples-lava", "0",
             "--out", out)  # fmt: skip
        return self._with_small_activity(out)

    @cached_property
    def _values(self) -> Path:
        """The same of a regression, in floats to the end."""
        data, out = self._folder / "values.npz", self._folder / "values"
        np.savez(data, x=self._random.random((60, 5)).astype(np.float32), y=self._random.random((60, 2)))
        _run("run", "--data", data, "--task", "regression", *QUICK, "--architecture", "mlp", "--integer-from", "1",
             "--samples-lava", "0", "--out", out)  # fmt: skip
        return out

    @staticmethod
    def _with_small_activity(out: Path) -> Path:
        data = "digits" if out.name == "digits" else out.with_suffix(".npz")
        _run("simulate", out / "chip.h5", "--data", data, "--samples", "4", "-o", out / "few.json")
        return out

    @cached_property
    def roads(self) -> tuple[Path, ...]:
        """Folders with every artefact of a network."""
        return self._digits, self._series, self._values

    def students(self) -> list[bytes]:
        """student.pt: trained on integers, on floats, never, and imported from another tool."""
        plain, imported = self._folder / "plain.pt", self._folder / "imported.pt"
        save_student(Student(StudentConfig("mlp", 2, (1, 2, 2), 3, 2)), plain, {})
        neurons = [snn.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero") for _ in range(2)]
        network = nn.Sequential(nn.Conv2d(1, 2, 2), neurons[0], nn.Flatten(), nn.Linear(2, 3), neurons[1])
        save_student(Student.from_module(network, input_shape=(1, 2, 2), timesteps=2), imported, {})
        own = [plain.read_bytes(), imported.read_bytes()]
        return [*((out / "student.pt").read_bytes() for out in self.roads), *own]

    def graphs(self) -> list[bytes]:
        """NIR graphs: our own, and those of other tools."""
        plain = self._folder / "plain.pt"
        self.students()
        _run("to-nir", plain, "-o", plain.with_suffix(".nir"), "--no-card", "--samples", "2")
        own = [plain.with_suffix(".nir"), *(out / "student.nir" for out in reversed(self.roads))]
        graph = read_graph(own[0])
        written = [graph_bytes(translate(graph, reader)) for reader in READERS]
        return [file.read_bytes() for file in own] + written + _exports() + self.lying(".nir")

    def chips(self) -> list[bytes]:
        """chip.h5."""
        return [(out / "chip.h5").read_bytes() for out in reversed(self.roads)]

    def nets(self) -> list[bytes]:
        """Networks as lava-dl's export writes them."""
        made = (lava_dl_files.mlp(self._random), lava_dl_files.convolutions(self._random))
        return [lava_dl_files.write(self._folder / "theirs.net", layers).read_bytes() for layers in made]

    def activities(self) -> list[bytes]:
        """Activities of the chips, in the same order, whatever version of the format."""
        own = [(out / name).read_bytes() for out, name in zip(self.roads, ("few.json", "few.json", "activity.json"),
                                                              strict=True)]  # fmt: skip
        return [*reversed(own), *self.lying(".json", "activity")]

    def records(self, name: str) -> list[bytes]:
        """Files of this name of the roads."""
        return [(out / name).read_bytes() for out in self.roads]

    def lying(self, suffix: str, within: str = "") -> list[bytes]:
        """Small files of the repository's tests and of the shared folders, where there are some."""
        folders = [
            ROOT / "tests/golden" / within,
            *([] if within else [ROOT / "shared/cases", ROOT / "shared/oracles"]),
        ]
        files = [file for folder in folders if folder.is_dir() for file in sorted(folder.rglob(f"*{suffix}"))]
        return [file.read_bytes() for file in files if file.stat().st_size <= LARGEST]

    @cached_property
    def trainer(self) -> tuple[Any, bytes]:
        """A training of one epoch, and its checkpoint."""
        out, kept = self._folder / "trained.pt", list[Any]()
        words = ["distill", "--data", "digits", "--train-samples", "40", *QUICK, "--integer-from", "1", "-o", str(out)]
        original = distill.save

        def keep(trainer: Any, path: Path) -> None:
            original(trainer, path)
            kept[:] = [trainer, path.read_bytes()]

        distill.save = keep
        try:
            _run(*words)
        finally:
            distill.save = original
        return kept[0], kept[1]

    def study(self, record: Any) -> bytes:
        """The database of a study with one finished and one failed job."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        file = self._folder / "study.db"
        url = f"sqlite:///{file}"
        made = optuna.create_study(storage=url, study_name="s", directions=["minimize", "maximize"])
        facts = {
            "training": "a",
            "state": "done",
            "record": record.model_dump(mode="json"),
            "worker": "1",
            "sentence": "x",
        }
        trial = optuna.trial.create_trial(values=[1.0, 2.0], user_attrs=facts)
        made.add_trial(trial)
        made.set_user_attr("teacher x", {"sha256": "x"})
        made._storage.remove_session()
        return file.read_bytes()


def _exports() -> list[bytes]:
    """A live export of every other tool."""
    found = []
    for path in sorted((ROOT / "tests" / "oracles" / "compatibility").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            found.append(archive.read(next(name for name in archive.namelist() if name.endswith(".nir"))))
    return found


def _run(*words: object) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = main([str(word) for word in words])
    if code:
        raise RuntimeError(f"a seed cannot be made: {' '.join(map(str, words))}: {said.getvalue()}")
