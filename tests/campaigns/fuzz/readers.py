"""Every reader of files: what is read, how, and what is then done with what was read.

A reader that is added to ``src`` needs a row here: ``tests/campaigns/test_readers.py`` compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from spikewright.bench.call import open_folder
from spikewright.bench.compare.jobs import TrainingJob, TrainingRecord, read_files
from spikewright.bench.compare.rows import Variant
from spikewright.bench.compare.teachers import TeacherFacts, known_teachers
from spikewright.bench.point import Outcome, Point
from spikewright.bench.work import JobKind, open_study
from spikewright.chip.activity_file import load_activity
from spikewright.chip.agreement import load_agreement
from spikewright.chip.chip_file import load_chip
from spikewright.chip.network import ChipNetwork
from spikewright.data import cifar, dvs_gesture, events, heidelberg, mnist_like, speech_commands
from spikewright.data import load as loading
from spikewright.data.dataset import Dataset
from spikewright.data.options import DataOptions
from spikewright.data.own import raw_of
from spikewright.data.split import Split
from spikewright.energy.pricing import price
from spikewright.energy.provenance import provenance_of
from spikewright.graph.nir_io import read_graph
from spikewright.lowering.check import check
from spikewright.lowering.lower import lower
from spikewright.pages import render
from spikewright.pages.card.card import model_card
from spikewright.pages.pricing import report_on
from spikewright.profile.profile import load_profile, read_profile, read_teacher
from spikewright.simulation.simulate import simulate
from spikewright.sources import read as reading
from spikewright.sources.event_sources import FORMATS, Files
from spikewright.sources.options import ReadingOptions
from spikewright.sources.unlabelled import read_samples
from spikewright.student.student import Student, load_student, student_provenance
from spikewright.student.to_nir import to_nir
from spikewright.teachers import ann
from spikewright.teachers.files import no_teacher_in
from spikewright.teachers.onnx_teacher import OnnxTeacher
from spikewright.teachers.weights import load_weights, read_weights
from spikewright.training import checkpoint
from spikewright.training.objects import loss_terms
from spikewright.training.settings import DistillSettings, settings_from
from spikewright.training.times import times_of

from . import binary_files, formats, seeds
from .hdf5 import of_hdf5
from .onnx_file import of_onnx
from .seeds import ROOT, Seeds
from .sqlite import of_sqlite

Beside = Callable[[int], Mapping[str, bytes]]
"""By the number of the seed, files that lie beside the one that is changed."""
SMALL = 20_000
"""Values of a network or a sample that is still run."""


def _alone(_: int) -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True)
class Reader:
    """A reader with valid files.

    Attributes:
        kind: the counts of the summary that this reader's count to.
        file: name of the file that is changed, below the folder that is given.
        seeds: valid files.
        change: makes another valid file of one.
        read: what the library reads; of the path of the file.
        step: what is then done with it, under the same rules.
        beside: files beside it.
        writes: names of files that reading makes beside it: a database with its lock and journal.
        is_read: whether any file is read; published pickles alone are, whose checksums are known.
    """

    kind: str
    file: str
    seeds: Sequence[bytes]
    change: formats.Change
    read: Callable[[Path], Any]
    step: Callable[[Any, int], object] = lambda found, seed: None
    beside: Beside = _alone
    writes: tuple[str, ...] = ()
    is_read: bool = True


@dataclass(frozen=True)
class Row:
    """A reader before its seeds are made.

    Attributes:
        make: the reader.
        needs: modules of extras without which there is none.
    """

    make: Callable[[Seeds], Reader]
    needs: tuple[str, ...] = field(default=())


def _same(files: Iterable[tuple[str, bytes]]) -> Beside:
    kept = dict(files)
    return lambda _: kept


# Students, checkpoints, graphs, chips


def _student(made: Seeds) -> Reader:
    return Reader("student.pt", "student.pt", made.students(), formats.of_torch, _read_student, _run_student)


def _read_student(path: Path) -> Student:
    student_provenance(path)
    return load_student(path)


def _run_student(student: Student, _: int) -> None:
    shape = student.config.input_shape
    if student.config.timesteps * int(np.prod(shape)) > SMALL or sum(p.numel() for p in student.parameters()) > SMALL:
        return
    with torch.no_grad():
        sample = torch.zeros(1, *(shape if student.config.encoding != "events" else (student.config.timesteps, *shape)))
        student(sample)
    to_nir(student)


def _checkpoint(made: Seeds) -> Reader:
    trainer, content = made.trainer
    whole = made.folder / "whole"
    whole.write_bytes(content)

    def read(path: Path) -> None:
        try:
            checkpoint.resume(trainer, path)
        finally:
            checkpoint.resume(trainer, whole)

    return Reader("checkpoint", "s.pt.checkpoint", [content], formats.of_torch, read)


def _graph(made: Seeds) -> Reader:
    return Reader(".nir", "graph.nir", made.graphs(), of_hdf5, read_graph, _lower)


def _lower(graph: Any, _: int) -> None:
    check(graph)
    model_card(graph)
    lower(graph, "loihi2-assumed")


def _chip(made: Seeds) -> Reader:
    return Reader("chip.h5", "chip.h5", made.chips(), of_hdf5, load_chip, _simulate)


def _simulate(chip: ChipNetwork, _: int) -> None:
    """One sample on the integers, and its price as a report tells it."""
    shape = chip.input.shape
    if chip.timesteps * sum(population.size for population in chip.populations) > SMALL:
        return
    steps = (chip.timesteps,) if chip.encoding == "events" else ()
    kind = np.uint8 if steps else np.float32
    samples = np.zeros((1, *steps, *(shape if len(shape) == 3 else (int(np.prod(shape)), 1, 1))), kind)
    labels = np.zeros(1, np.int64) if chip.meaning.is_classes else np.zeros((1, chip.classes), np.float32)
    activity = simulate(chip, Split(samples, labels))
    _report(activity, chip, None)


def _report(activity: Any, chip: ChipNetwork, provenance: Any) -> None:
    profile = load_profile("loihi2-assumed")
    found = price(activity, chip, profile)
    if provenance is None:
        return
    document = render.Document([report_on(found, activity, chip, provenance)])
    render.as_json(document)
    render.as_markdown(document)


def _activity(made: Seeds) -> Reader:
    chips = made.chips()
    networks = [made.roads[-1 - number] / "chip.h5" for number in range(len(chips))]

    def read(path: Path) -> Any:
        return path, load_activity(path)

    def step(found: Any, seed: int) -> None:
        path, activity = found
        file = networks[min(seed, len(networks) - 1)]
        chip = load_chip(file)
        _report(activity, chip, provenance_of(path, file, activity, chip))

    return Reader("activity", "activity.json", made.activities(), formats.of_json, read, step)


def _agreement(made: Seeds) -> Reader:
    def say(found: Any, _: int) -> None:
        found.in_words()
        _ = found.levels, found.merits

    return Reader("reports", "agreement.json", made.records("agreement.json"), formats.of_json, load_agreement, say)


def _times(made: Seeds) -> Reader:
    def read(path: Path) -> object:
        return times_of(path.with_name("student.pt"))

    students = made.records("student.pt")
    return Reader(
        "reports",
        "student.times.json",
        made.records("student.times.json"),
        formats.of_json,
        read,
        beside=lambda seed: {"student.pt": students[seed]},
    )


# Profiles and presets


def _profile(made: Seeds) -> Reader:
    files = [
        *sorted((ROOT / "hardware_profiles").glob("*.toml")),
        *sorted((ROOT / "tests/golden/profiles").glob("*.toml")),
    ]
    valid = [file.read_bytes() for file in files if _parses(file.read_bytes())]
    road = made.roads[1]

    def step(profile: Any, _: int) -> None:
        _ = profile.sha256
        price(load_activity(road / "few.json"), load_chip(road / "chip.h5"), profile)

    return Reader("presets and profiles", "profile.toml", valid, formats.of_toml, read_profile, step)


def _parses(data: bytes) -> bool:
    try:
        formats.tomllib.loads(data.decode())
    except ValueError:
        return False
    return True


def _machine(_: Seeds) -> Reader:
    files = sorted((ROOT / "hardware_profiles/teachers").glob("*.toml"))
    return Reader(
        "presets and profiles",
        "machine.toml",
        [file.read_bytes() for file in files],
        formats.of_toml,
        read_teacher,
        lambda found, _: (found.source, found.mac.cost),
    )


def _preset(_: Seeds) -> Reader:
    files = sorted((ROOT / "train/presets").glob("*.toml"))
    every = "".join(
        f"{name} = {_toml(value)}\n" for name, value in DistillSettings().flat().items() if value is not None
    )

    def step(settings: DistillSettings, _: int) -> None:
        settings.flat()
        loss_terms(settings)

    return Reader(
        "presets and profiles",
        "preset.toml",
        [*(file.read_bytes() for file in files), every.encode()],
        formats.of_toml,
        lambda path: settings_from(str(path), {}),
        step,
    )


def _toml(value: Any) -> str:
    return formats._toml(value)


# Teachers


def _onnx(_: Seeds) -> Reader:
    def read(path: Path) -> OnnxTeacher:
        return OnnxTeacher(path, (1, 4, 4), 3, None, None, loading.Dataset.__dataclass_fields__["output"].default)

    def step(teacher: OnnxTeacher, _: int) -> None:
        teacher.logits(torch.zeros(2, 1, 4, 4))
        _ = teacher.macs, teacher.shapes

    return Reader(".onnx", "model.onnx", seeds.onnx_models(), of_onnx, read, step)


def _weights(_: Seeds) -> Reader:
    return _weights_in("weights.pth", seeds.state_dicts(), formats.of_torch)


def _safetensors(_: Seeds) -> Reader:
    return _weights_in("weights.safetensors", seeds.safetensors_files(), formats.of_safetensors)


def _weights_in(file: str, valid: Sequence[bytes], change: formats.Change) -> Reader:
    def read(path: Path) -> Any:
        no_teacher_in(path)
        return read_weights(path)

    return Reader(
        "teacher's weights",
        file,
        valid,
        change,
        read,
        lambda found, _: load_weights(seeds.network(), found, "the network"),
    )


def _cached_teacher(_: Seeds) -> Reader:
    content = {
        "format_version": ann.FORMAT_VERSION,
        "key": "k",
        "state": seeds.network().state_dict(),
        "validation_accuracy": 0.5,
    }
    return Reader(
        "teacher's weights",
        "teacher.pt",
        [seeds._torch(content)],
        formats.of_torch,
        lambda path: ann._restore(path, "k", seeds.network()),
    )


# Data of one's own

OPTIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    ".npz": ({}, {}, {"layout": "series"}, {"task": "regression"}),
    ".npy": ({}, {}, {"layout": "series"}),
    ".csv": ({}, {"id_column": "id", "time_column": "time"}, {}),
    ".ts": ({}, {}),
    ".arff": ({"layout": "vectors"}, {}),
    ".parquet": ({},),
}


def _own(
    suffix: str,
    valid: Sequence[bytes],
    change: formats.Change,
    kind: str,
    beside: Beside = _alone,
    name: str = "data",
) -> Reader:
    """A file of data of one's own; samples without labels are read from it as well."""

    def read(path: Path) -> Any:
        return path, reading.read(path, DataOptions(), ())

    def step(found: Any, seed: int) -> None:
        path, _ = found
        options = DataOptions(**OPTIONS.get(suffix, ({},))[min(seed, len(OPTIONS.get(suffix, ({},))) - 1)])
        _prepare(path, options)
        if name != "many":  # recordings of events have classes
            read_samples(path, {})

    def read_with(path: Path) -> Any:
        return path, None

    return Reader(kind, f"{name}{suffix}", valid, change, read if suffix not in (".arff",) else read_with, step, beside)


def _prepare(path: Path, options: DataOptions) -> None:
    """The data as a student takes them, and some of the samples."""
    raw = raw_of(reading.read(path, options, ()), options)
    dataset = Dataset.of_raw(raw, options)
    if int(np.prod(dataset.shape)) * (dataset.timesteps or 1) > 50 * SMALL:
        return
    for part in (dataset.train, dataset.validation, dataset.test):
        np.asarray(part.samples[:2])
    repr(dataset)


def _in_folders(kind: str, file: str, valid: bytes | Sequence[bytes], change: formats.Change) -> Reader:
    """A file in one of two class folders, whose other files are well."""
    kept = [valid] if isinstance(valid, bytes) else list(valid)
    suffix = Path(file).suffix
    others = [dict(seeds.in_class_folders(each, suffix)) for each in kept]

    def read(path: Path) -> Any:
        return path.parents[1], reading.read(path.parents[1], DataOptions(), ())

    def step(found: Any, _: int) -> None:
        _prepare(found[0], DataOptions())

    return Reader(kind, f"left/{file}", kept, change, read, step, lambda seed: others[seed])


def _recording(suffix: str, change: formats.Change, file: str | None = None) -> Row:
    """A recording of events in a file of its own, read as the folder reader reads it."""
    end = Path(file).suffix if file else suffix

    def make(made: Seeds) -> Reader:
        def read(path: Path) -> Any:
            return Files((path,), ReadingOptions()).read(0)

        valid = seeds.event_arrays(made.folder)[suffix]
        return Reader("events", file or f"000{suffix}", valid, change, read)

    return Row(make, ("aedat",) if suffix == ".aedat4" else ("scipy",) if end == ".mat" else ())


# Data sets that have a name


def _idx(_: Seeds) -> Reader:
    train, labels = seeds.idx_file(20, 28, 28), seeds.idx_file(20)
    files = {"train-images-idx3-ubyte": train, "train-labels-idx1-ubyte": labels, "t10k-images-idx3-ubyte": train}
    return Reader(
        "data sets",
        "t10k-labels-idx1-ubyte",
        [labels],
        binary_files.of_idx,
        lambda path: mnist_like.load_mnist(path.parent),
        beside=_same(files.items()),
    )


def _packed_idx(_: Seeds) -> Reader:
    return Reader(
        "data sets",
        "images.gz",
        [seeds.packed(seeds.idx_file(3, 28, 28))],
        formats.of_gzip(binary_files.of_idx),
        lambda path: mnist_like.read_idx(path, (28, 28), 60_000),
    )


def _cifar(_: Seeds) -> Reader:
    files = {f"data_batch_{number}.bin": seeds.cifar_records() for number in range(1, 6)}
    return Reader(
        "data sets",
        "test_batch.bin",
        [seeds.cifar_records()],
        binary_files.of_records([("label", "u1"), ("pixels", "V3072")]),
        lambda path: cifar.load_cifar10(path.parent),
        beside=_same(files.items()),
    )


def _cifar_archive(_: Seeds) -> Reader:
    return Reader(
        "data sets",
        cifar.ARCHIVE,
        [seeds.cifar_archive()],
        binary_files.of_tar,
        lambda path: cifar.load_cifar10(path.parent),
    )


def _cifar_pickled(_: Seeds) -> Reader:
    import pickle

    content = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]})
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "batches.meta"]
    files = {f"{cifar.PICKLED}/{name}": content for name in names}
    return Reader(
        "data sets",
        f"{cifar.PICKLED}/test_batch",
        [content],
        formats.of_pickle,
        lambda path: cifar.load_cifar10(path.parents[1]),
        beside=_same(files.items()),
        is_read=False,
    )


def _nmnist(made: Seeds) -> Reader:
    content = seeds.event_arrays(made.folder)[".bin"][0]
    files = {f"{part}/{label}/00{label}.bin": content for part in ("Train", "Test") for label in range(10)}
    return Reader(
        "events",
        "Train/0/000.bin",
        [content],
        binary_files.of_records([("x", "u1"), ("y", "u1"), ("t", "V3")]),
        lambda path: events.load_nmnist(path.parents[2], 3),
        beside=_same(files.items()),
    )


def _gestures(made: Seeds) -> Reader:
    recording = seeds.event_arrays(made.folder)[".aedat3"][0]
    table = f"{dvs_gesture.HEADER}\n1,0,90000\n2,100,99000\n".encode()
    files = {f"user0{n}_x.aedat": recording for n in (1, 2)} | {"user02_x_labels.csv": table}
    files |= {"trials_to_train.txt": b"user01_x.aedat\n", "trials_to_test.txt": b"user02_x.aedat\n"}
    return Reader(
        "events",
        "user01_x_labels.csv",
        [table],
        formats.of_lines(","),
        lambda path: dvs_gesture.load_gestures(path.parent, DataOptions()),
        beside=_same(files.items()),
    )


def _gesture_list(made: Seeds) -> Reader:
    recording = seeds.event_arrays(made.folder)[".aedat3"][0]
    table = f"{dvs_gesture.HEADER}\n1,0,90000\n".encode()
    files = {f"user0{n}_x.aedat": recording for n in (1, 2)} | {f"user0{n}_x_labels.csv": table for n in (1, 2)}
    files |= {"trials_to_test.txt": b"user02_x.aedat\n"}
    return Reader(
        "events",
        "trials_to_train.txt",
        [b"user01_x.aedat\n"],
        formats.of_lines("_"),
        lambda path: dvs_gesture.load_gestures(path.parent, DataOptions()),
        beside=_same(files.items()),
    )


def _heidelberg(made: Seeds) -> Reader:
    trains = seeds.many_in_hdf5(made.folder)[1]

    def read(path: Path) -> object:
        return heidelberg.load_shd(path.parent, DataOptions())

    return Reader("events", "shd_train.h5", [trains], of_hdf5, read, beside=_same([("shd_test.h5", trains)]))


def _spoken_lists(_: Seeds) -> Reader:
    words = sorted((*speech_commands.TEN, *speech_commands.OTHERS))
    files = {f"{word}/{n}.wav": b"" for word in words for n in range(3)}
    files |= {"testing_list.txt": "\n".join(f"{word}/0.wav" for word in words).encode()}
    valid = "\n".join(f"{word}/1.wav" for word in words).encode()
    return Reader(
        "data sets",
        "validation_list.txt",
        [valid],
        formats.of_lines("/"),
        lambda path: speech_commands._parts("speech-commands-35", path.parent, words),
        beside=_same(files.items()),
    )


# Records of sweeps and comparisons

JOB = TrainingJob(Variant("none", ()), Point(None, 3))


def _record(_: Seeds) -> Reader:
    return _of_job("record.json", _a_record().model_dump_json().encode())


def _a_record() -> TrainingRecord:
    numbers = {"validation": 1.0, "test": 0.5}
    outcome = Outcome(
        energy=numbers,
        energy_is_at_least=True,
        floor=0.1,
        accuracy=numbers,
        synaptic_ops=numbers,
        spikes=numbers,
        samples={"test": 3},
        timesteps=2,
        width=2,
        encoding="direct",
        files={"chip": "chip.h5"},
        made_by="x",
        host="x",
        seconds=1.0,
    )
    return TrainingRecord(
        row="none",
        facts=JOB.row.facts,
        budget=None,
        seed=3,
        outcome=outcome,
        float_accuracy=0.5,
        accuracy_by_step=(0.1, 0.2),
        spikes=numbers,
        energy_by_part=numbers,
        student_logit_range=1.0,
        teacher_logit_range=None,
        epochs=1,
        seconds=1.0,
        processor_seconds=1.0,
        teacher_sha256=None,
    )


def _failed(_: Seeds) -> Reader:
    return _of_job("failed.json", b'{"sentence": "it did not work"}')


def _of_job(file: str, valid: bytes) -> Reader:
    place = JOB.folder(Path("comparison")) / file
    return Reader(
        "records of studies",
        str(place),
        [valid],
        formats.of_json,
        lambda path: read_files(JOB, path.parents[len(place.parts) - 2]),
    )


def _teachers(_: Seeds) -> Reader:
    facts = TeacherFacts("x", "ab", 3, False, {"test": 0.5}, ("Erf",))
    valid = json.dumps([facts.as_json()]).encode()
    study: Any = SimpleNamespace(facts={})
    return Reader(
        "records of studies",
        "teachers.json",
        [valid],
        formats.of_json,
        lambda path: known_teachers(path.parent, study),
    )


def _settings(_: Seeds) -> Reader:
    facts = {"schema_version": 1, **DistillSettings().flat()}
    return Reader(
        "records of studies",
        "settings.json",
        [json.dumps(facts).encode()],
        formats.of_json,
        lambda path: open_folder(path.parent, facts, "a sweep"),
    )


def _study(made: Seeds) -> Reader:
    kind: JobKind[Any, Any] = JobKind(
        noun="training",
        attributes_of=lambda job: {"training": job},
        job_of=lambda attributes: str(attributes.get("training")),
        folder_of=lambda job: Path(job),
        result=TrainingRecord,
        result_name="record",
        values_of=lambda record: (0.0, 0.0),
    )

    def read(path: Path) -> None:
        with open_study(f"sqlite:///{path}", "s", kind) as study:
            study.results()
            _ = study.facts

    return Reader("records of studies", "study.db", [made.study(_a_record())], of_sqlite, read, writes=("study.db",))


BIN = [("x", "u1"), ("y", "u1"), ("high", "u1"), ("middle", "u1"), ("low", "u1")]
SHARES: Mapping[str, float] = {
    **dict.fromkeys(("student", "checkpoint", "nir", "chip", "images", "many-h5"), 0.1),
    **dict.fromkeys(("activity", "weights", "cached-teacher", "event-folder", "many-npz", "heidelberg"), 0.3),
    **dict.fromkeys(("profile", "parquet", "mat", "event-h5"), 0.5),
    **dict.fromkeys(("machine", "preset", "onnx", "event-npy", "cifar"), 2.0),
    **dict.fromkeys(("agreement", "times", "idx", "idx-gz", "cifar-pickled", "record", "settings"), 4.0),
    **dict.fromkeys(("bin", "dat", "aedat2", "aedat3", "failed", "teachers"), 5.0),
    "sounds": 0.05,
    "study": 0.005,
}
"""Of all inputs, by weight: readers get less that are slow. Those that are not named here have 1."""
READERS: dict[str, Row] = {
    "student": Row(_student),
    "checkpoint": Row(_checkpoint),
    "nir": Row(_graph),
    "chip": Row(_chip),
    "activity": Row(_activity),
    "agreement": Row(_agreement),
    "times": Row(_times),
    "profile": Row(_profile),
    "machine": Row(_machine),
    "preset": Row(_preset),
    "onnx": Row(_onnx),
    "weights": Row(_weights),
    "safetensors": Row(_safetensors, ("safetensors",)),
    "cached-teacher": Row(_cached_teacher),
    "npz": Row(lambda _: _own(".npz", seeds.npz_files(), formats.of_npz, ".npz and .npy")),
    "npy": Row(
        lambda _: _own(
            ".npy",
            seeds.npy_files(),
            formats.of_npy,
            ".npz and .npy",
            name="x",
            beside=_same([("y.npy", seeds.LABELS)]),
        )
    ),
    "csv": Row(lambda _: _own(".csv", seeds.tables(), formats.of_lines(",;"), "tables and series")),
    "parquet": Row(
        lambda _: _own(".parquet", seeds.parquet_files(), formats.of_parquet, "tables and series"), ("pyarrow",)
    ),
    "ts": Row(lambda _: _own(".ts", seeds.ts_files(), formats.of_lines(",:"), "tables and series")),
    "arff": Row(lambda _: _own(".arff", seeds.arff_files(), formats.of_lines(", "), "tables and series")),
    "images": Row(lambda _: _in_folders("images and sounds", "000.png", seeds.pictures(), binary_files.of_png)),
    "sounds": Row(
        lambda _: _in_folders("images and sounds", "000.wav", seeds.sounds(), binary_files.of_wav),
        ("soundfile", "librosa"),
    ),
    "bin": _recording(".bin", binary_files.of_records(BIN)),
    "dat": _recording(".dat", binary_files.of_records([("t", "<u4"), ("address", "<u4")], b"% ")),
    "aedat2": _recording(".aedat2", binary_files.of_records([("address", ">u4"), ("t", ">u4")], b"# "), file="2.aedat"),
    "aedat3": _recording(".aedat3", binary_files.of_aedat3, file="3.aedat"),
    "aedat4": _recording(".aedat4", binary_files.of_numbers),
    "event-h5": _recording(".h5", of_hdf5),
    "event-npy": _recording(".npy", formats.of_npy),
    "event-npz": _recording(".npz", formats.of_npz),
    "mat": _recording(".mat", binary_files.of_mat),
    "event-folder": Row(
        lambda made: _in_folders(
            "events", "000.bin", seeds.event_arrays(made.folder)[".bin"], binary_files.of_records(BIN), 0.5
        )
    ),
    "many-npz": Row(lambda _: _own(".npz", seeds.many_recordings(), formats.of_npz, "events", name="many")),
    "many-h5": Row(lambda made: _own(".h5", seeds.many_in_hdf5(made.folder), of_hdf5, "events", name="many")),
    "nmnist": Row(_nmnist),
    "gestures": Row(_gestures),
    "gesture-list": Row(_gesture_list),
    "heidelberg": Row(_heidelberg),
    "speech-commands": Row(_spoken_lists),
    "idx": Row(_idx),
    "idx-gz": Row(_packed_idx),
    "cifar": Row(_cifar),
    "cifar-archive": Row(_cifar_archive),
    "cifar-pickled": Row(_cifar_pickled),
    "record": Row(_record),
    "failed": Row(_failed),
    "teachers": Row(_teachers),
    "settings": Row(_settings),
    "study": Row(_study, ("optuna",)),
}
"""By name, every reader."""
WHERE: Mapping[str, tuple[str, ...]] = {
    "base/torch_file.py": ("student", "checkpoint"),
    "bench/call.py": ("settings",),
    "bench/compare/jobs.py": ("record", "failed"),
    "bench/compare/teachers.py": ("teachers",),
    "bench/database.py": ("study",),
    "chip/activity_file.py": ("activity",),
    "chip/agreement.py": ("agreement",),
    "chip/chip_file.py": ("chip",),
    "chip/records.py": ("activity", "agreement"),
    "data/cifar.py": ("cifar", "cifar-archive", "cifar-pickled"),
    "data/dvs_gesture.py": ("gestures", "gesture-list"),
    "data/mnist_like.py": ("idx", "idx-gz"),
    "data/speech_commands.py": ("speech-commands",),
    "graph/nir_io.py": ("nir",),
    "profile/profile.py": ("profile", "machine"),
    "sources/aedat.py": ("aedat2", "aedat3", "aedat4"),
    "sources/arff_file.py": ("arff",),
    "sources/arrays.py": ("npz", "npy"),
    "sources/csv_file.py": ("csv",),
    "sources/event_arrays.py": ("event-h5", "event-npy", "event-npz", "mat", "many-npz", "many-h5"),
    "sources/event_binaries.py": ("bin", "dat", "nmnist"),
    "sources/event_sources.py": ("many-h5", "heidelberg"),
    "sources/images.py": ("images",),
    "sources/parquet_file.py": ("parquet",),
    "sources/sounds.py": ("sounds",),
    "sources/ts_file.py": ("ts",),
    "student/header.py": ("student",),
    "teachers/ann.py": ("cached-teacher",),
    "teachers/foreign.py": ("weights", "safetensors"),
    "teachers/onnx_model.py": ("onnx",),
    "teachers/weights.py": ("weights", "safetensors"),
    "training/checkpoint.py": ("checkpoint",),
    "training/settings.py": ("preset",),
    "training/times.py": ("times",),
}
"""By module of the library that opens files of others, its readers here."""
ONE_RECORDING = {".bin", ".dat", ".aedat", ".aedat4", ".h5", ".hdf5", ".npy", ".npz", ".mat"}
"""Ends of names of :data:`~spikewright.sources.event_sources.FORMATS` that have a reader here."""
assert FORMATS.keys() == ONE_RECORDING
