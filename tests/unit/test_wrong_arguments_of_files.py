"""Arguments of another type than readers and writers of networks take: one sentence that says what they may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lava_dl_files
import numpy as np
import pytest

import spikewright as sw
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student


@pytest.fixture(scope="module")
def student() -> Student:
    return Student(StudentConfig("mlp", 4, (1, 3, 4), 3, 4, "events"))


@pytest.fixture(scope="module")
def chip(student: Student) -> sw.ChipNetwork:
    return sw.lower(sw.to_nir(student))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (None, "path: is of type NoneType; may be a path, as a str or a pathlib.Path"),
        (3, "path: is of type int; may be a path, as a str or a pathlib.Path"),
        (b"a", "path: is of type bytes; may be a path, as a str or a pathlib.Path"),
        ("a\0b", "path: is 'a\\x00b', and no path holds a zero character; leave it out"),
    ],
)
def test_what_is_no_path(path: Any, said: str, chip: sw.ChipNetwork, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for write in (sw.write_onnx, sw.write_netx, sw.write_lava):
        with pytest.raises(sw.InputError) as refused:
            write(chip, path)
        assert str(refused.value) == said
    with pytest.raises(sw.InputError) as refused:
        sw.read_netx(path)
    assert str(refused.value) == said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [sw.write_netx, sw.write_lava])
def test_what_is_no_chip_network(write: Any, student: Student, tmp_path: Path) -> None:
    for given in (student, sw.to_nir(student), None, "chip.h5"):
        with pytest.raises(
            sw.InputError, match=rf"chip: is of type {type(given).__name__}; may be a ChipNetwork, such"
        ):
            write(given, tmp_path / "out")
    with pytest.raises(sw.InputError, match="network: is a NoneType, and must be a ChipNetwork"):
        sw.write_onnx(None, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"timesteps": "3"}, "timesteps: is '3'; must be a whole number"),
        ({"timesteps": 2.5}, r"timesteps: is 2\.5; must be a whole number"),
        ({"timesteps": True}, "timesteps: is True; must be a whole number"),
        ({"input_bits": "8"}, "input_bits: is '8'; must be a whole number"),
        ({"population": 1.0}, r"population: is 1\.0; must be a whole number"),
        ({"encoding": 3}, "encoding: is of type int; may be None or a name: "),
    ],
)
def test_what_no_file_of_lava_dl_is_read_with(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    made = [dict(layer) for layer in lava_dl_files.convolutions(np.random.default_rng(0))]
    with pytest.raises(sw.InputError, match=said):
        sw.read_netx(lava_dl_files.write(tmp_path / "theirs.net", made, 8), **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dt_s": "1"}, "dt_s: is of type str; may be a number of seconds"),
        ({"dt_s": True}, "dt_s: is of type bool; may be a number of seconds"),
        ({"timesteps": 2.0}, "timesteps: is of type float; may be a whole number of steps"),
        ({"timesteps": True}, "timesteps: is of type bool; may be a whole number of steps"),
        ({"producer": 3}, "producer: is of type int; may be one of lava, nengo, norse"),
        ({"reset": ["zero"]}, "reset: is of type list; may be one of subtract, subtract-late, zero"),
    ],
)
def test_what_no_graph_is_interpreted_with(given: dict[str, Any], said: str, student: Student) -> None:
    with pytest.raises(sw.InputError, match=said):
        sw.interpret(sw.to_nir(student), np.zeros((1, 4, 1, 3, 4)), **given)


def test_what_is_no_name_of_a_tool(student: Student) -> None:
    with pytest.raises(sw.InputError, match=r"reader: is of type NoneType; may be the name of a tool: .*norse"):
        sw.translate(sw.to_nir(student), None)  # type: ignore[arg-type]
