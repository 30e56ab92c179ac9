"""Files that the fuzzer found to end in something else than a sentence, made small; each is refused by name now."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch

from spikewright.base.errors import LONGEST_LINE, MOST_LINES, InputError, Message, arg, refuse, with_flags
from spikewright.base.torch_file import load_torch
from spikewright.bench.call import open_folder
from spikewright.bench.compare.jobs import TrainingJob, TrainingRecord, read_files
from spikewright.bench.compare.rows import Variant
from spikewright.bench.compare.teachers import known_teachers
from spikewright.bench.point import Point
from spikewright.bench.work import JobKind, open_study
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.data import dvs_gesture, speech_commands
from spikewright.data.dataset import Dataset
from spikewright.data.options import DataOptions
from spikewright.graph.nir_io import read_graph
from spikewright.lowering.lower import lower
from spikewright.sources.event_sources import Files
from spikewright.sources.options import ReadingOptions
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import to_nir
from spikewright.teachers.files import no_teacher_in
from spikewright.teachers.onnx_teacher import OnnxTeacher
from spikewright.teachers.weights import load_weights, read_weights

NPY_HEAD = b"\x93NUMPY\x01\x00"


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        read()
    said = str(caught.value)
    assert all(line.startswith("  - ") for line in said.split("\n")[1:]), said
    return said


def data(path: Path, **options: Any) -> str:
    return refusal(lambda: Dataset.from_file(path, **options))


def recording(path: Path) -> str:
    return refusal(lambda: Files((path,), ReadingOptions()).read(0))


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


# Arrays

X, Y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 3
SERIES = np.random.default_rng(0).random((30, 5, 2))
ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "samples are one number": ({"x": 1.0, "y": Y}, "holds one number; give samples"),
    "groups are one number": ({"x": X, "y": Y, "groups": 3}, "groups has shape (); must hold one entry"),
    "groups are records": (
        {"x": X, "y": Y, "groups": np.zeros(30, [("t", "i8"), ("x", "f4")])},
        "groups holds values of type [('t', '<i8'), ('x', '<f4')]; must be numbers or texts",
    ),
    "lengths are records": ({"x": SERIES, "y": Y, "lengths": np.zeros(30, [("a", "i4")])}, "its array lengths must"),
    "recordings are complex": ({"x": SERIES * 1j, "y": Y, "lengths": Y + 1}, "x holds values of type complex128"),
    "beyond 32 bits": ({"x": X * 1e300, "y": Y}, "holds numbers beyond 3.4e+38, the largest of 32 bits, first"),
    "a NaN that signals": (
        {"x": np.full(120, 0x7FA00000, np.uint32).view(np.float32).reshape(30, 4), "y": Y},
        "holds NaN, first in sample",
    ),
    "infinite": ({"x": np.full((30, 4), np.inf), "y": Y}, "holds infinity, first in sample"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str, tmp_path: Path) -> None:
    arrays, words = ARRAYS[name]
    assert words in data(saved(tmp_path / "a.npz", **arrays))


def test_values_without_columns_or_beyond_32_bits(tmp_path: Path) -> None:
    for labels, words in ((np.zeros((30, 0)), "its train part is empty"), (X[:, :1] * 1e300, "hold NaN or infinity")):
        assert words in data(saved(tmp_path / "a.npz", x=X, y=labels), task="regression")


def test_one_name_is_the_name_of_one_class(tmp_path: Path) -> None:
    assert "with 1 classes" in data(saved(tmp_path / "a.npz", x=X, y=Y, names="a"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (NPY_HEAD + b"\x14\x00{'descr': '<f4', (((\n", "cannot be read as .npy"),
        (b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\xff" + b"{}", "its header is said to have 4294967295 bytes"),
        (NPY_HEAD + b"\x46\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }".ljust(69) + b"\n",
         "its shape is (-1,)"),
        (NPY_HEAD + b"\x46\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }".ljust(69) + b"\n",
         "its shape is (True,)"),
    ],
)  # fmt: skip
def test_headers_of_arrays(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    np.save(tmp_path / "y.npy", Y)
    assert words in data(tmp_path / "x.npy")
    assert words.replace(" as .npy", "") in recording(tmp_path / "x.npy")


def test_an_archive_with_another_file_among_its_arrays_of_events(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("t", b"12")
    assert "holds nothing; events need t, x, y and p" in recording(tmp_path / "a.npz")


def test_an_array_of_events_that_says_more_than_is_stored(tmp_path: Path) -> None:
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,), }"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("t.npy", NPY_HEAD + b"\x76\x00" + head.ljust(117) + b"\n")
    assert "it ends early: 80000000000 bytes are announced" in recording(tmp_path / "a.npz")


# Tables and series


def test_a_table_of_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n\r\n\n")
    assert "a.csv: holds empty lines alone; its first line must be the names of the columns" in data(tmp_path / "a.csv")


def test_a_line_with_a_zero_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.arff"
    file.write_text("@relation x\n@attribute a numeric\n@attribute c {a,b}\n@data\n1,a\n2\x00,b\n")
    assert "line 6: " in data(file, layout="vectors")


def test_a_label_that_goes_on_and_on(tmp_path: Path) -> None:
    file = tmp_path / "a.ts"
    file.write_text(f"@classLabel true a b\n@data\n1,2:a\n1,2:{'b' * 50_000}\n")
    said = data(file)
    assert "line 4: 'bbb" in said
    assert len(said) <= LONGEST_LINE + 4


def test_values_of_series_beyond_32_bits(tmp_path: Path) -> None:
    file = tmp_path / "a.ts"
    file.write_text("@classLabel true a b\n@data\n" + "1,1e300:a\n1,2:b\n" * 10)
    assert "holds infinity, first in sample 0" in data(file)


# Events


def test_a_packet_of_aedat_4_that_goes_beyond_its_file(event_files: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.aedat4"
    event_files.aedat4(file, *event_files.events(0, 0))
    whole = file.read_bytes()
    for size in (2**31, 2**32 - 1):  # the package would ask for that memory, and end the process without it
        file.write_bytes(whole + struct.pack("<iI", 0, size))
        assert recording(file).endswith("(it ends inside a packet); get the file again")
    for place, words in ((18, "ends inside the head of a packet"), (37, "range start index")):  # of which it panics
        file.write_bytes(whole[:place] + b"\xff\xff" + whole[place + 2 :])
        assert f"cannot be read as AEDAT 4.0 ({'it ' if place == 18 else ''}{words}" in recording(file)


def test_a_description_of_aedat_4_that_is_no_text(event_files: Any, tmp_path: Path) -> None:
    """The package takes it for UTF-8, and where a tag does not end as it should it ends the process."""
    file = tmp_path / "a.aedat4"
    event_files.aedat4(file, *event_files.events(0, 0))
    whole = file.read_bytes()
    at = whole.rindex(b"</node>")
    file.write_bytes(whole[: at + 6] + b"\xe3" + whole[at + 7 :])
    assert recording(file).endswith("cannot be read as AEDAT 4.0 (its description is not UTF-8); get the file again")
    file.write_bytes(whole[: at + 6] + b"X" + whole[at + 7 :])
    assert "cannot be read as AEDAT 4.0 (expected '>'" in recording(file)


EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "late": ({"t": [0, 2**60], "x": [0, 1], "y": [0, 1], "p": [0, 1]}, "times may be up to 9007199254740992 us"),
    "late in seconds": ({"t": [0.5, 1e300], "x": [0, 1], "y": [0, 1], "p": [0, 1]}, "has an event at 1e+300 s"),
    "far": ({"t": [0, 1], "x": [0, 2**40], "y": [0, 1], "p": [0, 1]}, "pixels are counted up to 2147483647"),
    "unsigned": ({"t": [0, 1], "x": [0, 1], "y": [0, 1], "p": np.array([0, 2**64 - 1], np.uint64)}, "p holds 1.8"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_fields_of_events(name: str, tmp_path: Path) -> None:
    fields, words = EVENTS[name]
    assert words in recording(saved(tmp_path / "a.npz", **fields))


def test_columns_of_events_that_are_not_finite(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 4), np.nan))
    assert "holds NaN or infinity; events are four columns of numbers" in recording(tmp_path / "a.npy")


def test_many_recordings_whose_arrays_do_not_belong_together(tmp_path: Path) -> None:
    events = {"t": np.arange(40), "x": np.arange(40) % 4, "y": np.arange(40) % 4, "p": np.arange(40) % 2}
    labels = np.arange(10) % 2
    for more, words in (
        ({"labels": 3, "lengths": 40}, "has labels of shape (); each recording has one class"),
        ({"labels": labels, "lengths": np.full(10, -4)}, "'lengths' must say how many events"),
        ({"labels": labels, "recording": np.arange(40)}, "'lengths' must say how many events"),
        ({"labels": labels, "recording": 3}, "'lengths' must say how many events"),
    ):
        assert words in data(saved(tmp_path / "a.npz", **events, **more))


def test_a_camera_for_whose_frames_there_is_no_memory(tmp_path: Path) -> None:
    x = np.arange(40) % 4
    x[3] = 2**30
    file = saved(tmp_path / "a.npz", t=np.arange(40), x=x, y=x, p=x % 2, labels=np.arange(10) % 2,
                 lengths=np.full(10, 4))  # fmt: skip
    assert "of memory; give larger squares of pixels, pool" in data(file)


def test_lists_of_spikes_that_lie_in_another_file_or_are_none(spike_trains: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    spike_trains(file, 12)
    with h5py.File(file, "r+") as opened:
        del opened["spikes/times"]
        opened.create_dataset("spikes/times", (12,), "f4", external=[(str(tmp_path / "other"), 0, 48)])
        del opened["spikes/units"]
        opened["spikes/units"] = 3
    said = data(file)
    assert "spikes/times is no array that is stored in the file" in said
    assert "spikes/units has shape () of int64; must hold a list of numbers for each recording" in said


def test_a_matrix_that_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0")
    assert "cannot be read as .mat" in recording(tmp_path / "a.mat")


def test_gestures_by_names_and_numbers_of_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "trials_to_train.txt").write_text(f"{'x' * 300}.aedat\n")
    (tmp_path / "trials_to_test.txt").write_text("a.aedat\n")
    assert "lists xxx" in refusal(lambda: dvs_gesture.load_gestures(tmp_path, DataOptions()))
    faults: list[str] = []
    (tmp_path / "t.csv").write_text(f"{dvs_gesture.HEADER}\n\u00b2,0,1\n1,0,{'9' * 400}\n")
    assert not list(dvs_gesture._gestures(0, tmp_path / "t.csv", faults))
    assert [fault.rpartition("; ")[2] for fault in faults] == ["must be a class and two times in us"] * 2


def test_a_list_of_sounds_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(b"\xff")
    assert "cannot be read" in refusal(lambda: speech_commands._listed(tmp_path / "l.txt"))


# Networks


@pytest.fixture(scope="module")
def student() -> Student:
    torch.manual_seed(0)
    return Student(StudentConfig("mlp", 2, (1, 2, 2), 3, 2)).eval()


def test_weights_that_do_not_fit_a_student_are_said_in_one_line(student: Student, tmp_path: Path) -> None:
    file = tmp_path / "s.pt"
    save_student(student, file, {})
    content = torch.load(file, weights_only=True)
    torch.save({**content, "weights": dict(list(content["weights"].items())[1:])}, file)
    assert "\n" not in refusal(lambda: load_student(file))


def test_a_graph_that_lies_in_another_file_is_not_opened(student: Student, tmp_path: Path) -> None:
    nir.write(tmp_path / "other.nir", to_nir(student))
    with h5py.File(tmp_path / "a.nir", "w") as file:
        file["node"] = h5py.ExternalLink("other.nir", "/node")
    assert "is an HDF5 file without a NIR graph" in refusal(lambda: read_graph(tmp_path / "a.nir"))


def test_weights_whose_sums_are_no_numbers_are_not_lowered(student: Student) -> None:
    graph = to_nir(student)
    dense = next(node for node in graph.nodes.values() if hasattr(node, "weight"))
    dense.weight = np.full_like(dense.weight, 1e38) * np.float64(1e200)
    said = refusal(lambda: lower(graph, "loihi2-assumed"))
    assert "[numbers_in_range]" in said
    assert "may be up to 1e+30" in said


def test_a_chip_file_that_is_damaged_inside(student: Student, tmp_path: Path) -> None:
    file = tmp_path / "c.h5"
    save_chip(lower(to_nir(student), "loihi2-assumed"), file)
    whole = file.read_bytes()
    for mark in (b"SNOD", b"TREE"):
        place = whole.index(mark)
        for start in range(place, len(whole), 97):
            file.write_bytes(whole[:start] + b"\xff\xff\xff\xff" + whole[start + 4 :])
            try:
                load_chip(file)
            except InputError as error:
                assert str(file) in str(error)
    with h5py.File(io.BytesIO(whole)) as opened:
        record = json.loads(bytes(opened["network"][()]))
    record["output"] = {"task": "regression", "center": [], "spread": []}
    file.write_bytes(whole)
    with h5py.File(file, "r+") as opened:
        del opened["network"]
        opened["network"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    assert str(file) in refusal(lambda: load_chip(file))


def linear() -> torch.nn.Module:
    return torch.nn.Linear(2, 2)


def test_files_of_weights(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    torch.save(linear().state_dict(), file)
    whole = file.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    for content in (
        whole[:directory] + b"PK\x09\x09" + whole[directory + 4 :],
        whole[: directory + 46] + b"\xff" + whole[directory + 47 :],
        b"\x80\x02\x8e" + b"\xff" * 7 + b"\x00",  # a text of 2^56 bytes
        b"\x80\x02X\xff\xff\xff\x7f",
        b"\x80\x02U",
    ):
        file.write_bytes(content)
        assert no_teacher_in(file) is None
        assert str(file) in refusal(lambda: read_weights(file))
    torch.save({name: value.to(torch.complex64) for name, value in linear().state_dict().items()}, file)
    assert "holds complex numbers" in refusal(lambda: load_weights(linear(), read_weights(file), "the network"))


def test_an_onnx_input_of_no_known_type(tmp_path: Path) -> None:
    from onnx import helper

    value = helper.make_tensor_value_info
    node = helper.make_node("Flatten", ["x"], ["logits"])
    graph = helper.make_graph([node], "g", [value("x", 1, ("n", 1, 4, 4))], [value("logits", 1, ("n", 16))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    model.graph.input[0].type.tensor_type.elem_type = 256
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    assert str(tmp_path) in refusal(lambda: OnnxTeacher(tmp_path / "a.onnx", (1, 4, 4), 16))


# Sweeps and comparisons

JOB = TrainingJob(Variant("none", ()), Point(None, 3))


@pytest.mark.parametrize("text", ["[]", "{", '{"x": 1}', '{"sentence": 1}', "[" * 100_000, '"\\ud800'])
def test_a_failed_training_that_says_nothing(text: str, tmp_path: Path) -> None:
    file = JOB.folder(tmp_path) / "failed.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert str(file) in refusal(lambda: read_files(JOB, tmp_path))


@pytest.mark.parametrize("text", ["{", "[1]", '["x"]', "7", '{"x": 1}', "[" * 100_000])
def test_teachers_and_settings_of_another_form(text: str, tmp_path: Path) -> None:
    study: Any = SimpleNamespace(facts={})
    (tmp_path / "teachers.json").write_text(text)
    assert str(tmp_path) in refusal(lambda: known_teachers(tmp_path, study))
    (tmp_path / "settings.json").write_text(text)
    assert str(tmp_path) in refusal(lambda: open_folder(tmp_path, {"a": 1}, "a sweep"))


def test_a_study_that_others_have_written_into(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = f"sqlite:///{tmp_path / 's.db'}"
    study = optuna.create_study(storage=url, study_name="s", directions=["minimize", "maximize"])
    facts = {"training": "a", "record": {"row": 1}}
    study.add_trial(optuna.trial.create_trial(values=[1.0, 2.0], user_attrs=facts))
    kind: JobKind[Any, Any] = JobKind(
        noun="training",
        attributes_of=lambda job: {"training": job},
        job_of=lambda attributes: str(attributes.get("training")),
        folder_of=lambda job: tmp_path,
        result=TrainingRecord,
        result_name="record",
        values_of=lambda record: (0.0, 0.0),
    )

    def results() -> None:
        with open_study(url, "s", kind) as opened:
            opened.results()

    assert "holds no result of a that this version reads" in refusal(results)
    study._storage.remove_session()
    import sqlite3

    with sqlite3.connect(tmp_path / "s.db") as database:
        database.execute("update trial_user_attributes set value_json = '{'")
    assert "holds what Optuna cannot read" in refusal(results)


# What a refusal is


def test_a_refusal_is_a_line_or_a_line_and_a_list() -> None:
    assert str(InputError("a\n\tb\r\nc")) == "a b c"
    assert str(InputError("a: 2 faults\n  - b\n  - c")) == "a: 2 faults\n  - b\n  - c"
    with pytest.raises(InputError) as caught:
        refuse("x", [f"fault {number}" for number in range(1000)])
    lines = str(caught.value).split("\n")
    assert (len(lines), lines[0], lines[-1]) == (MOST_LINES + 1, "x: 1000 faults", "  - and 961 more")
    assert len(caught.value.faults) == 1000


def test_a_long_line_is_cut_without_losing_what_an_argument_is() -> None:
    error = InputError("x" * (LONGEST_LINE - 10) + arg("energy_budget", "9" * 5000))
    assert str(error).endswith(" ...")
    assert with_flags(error, {}).endswith(" ...")
    assert "--energy" in with_flags(error, {})
    assert "\ue000" not in str(error) + with_flags(error, {})
    assert str(InputError(Message(f"{arg('seed', 3)}: is wrong").marked)) == "seed=3: is wrong"


class Foreign:
    """What a file of weights must not hold."""


@pytest.mark.parametrize("reads", ["student", "weights"])
def test_a_file_that_was_refused_does_not_spoil_the_next(reads: str, tmp_path: Path) -> None:
    """torch checks the sparse tensors of a file last, and kept those of one that it could not read to the end."""
    wrong = torch.sparse_coo_tensor(torch.tensor([[7]]), torch.ones(1), (2,), check_invariants=False)
    torch.save({"a": wrong, "b": Foreign()}, tmp_path / "wrong.pt")
    torch.save({"weight": torch.ones(2)}, tmp_path / "right.pt")
    read = read_weights if reads == "weights" else partial(load_torch, what="a file of torch", remedy="")
    with pytest.raises(InputError, match=r"wrong\.pt"):
        read(tmp_path / "wrong.pt")
    assert read(tmp_path / "right.pt")
