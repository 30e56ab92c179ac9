"""Every reader of files: what is read, how, and what is then done with what was read.

A reader that is added to ``src`` needs a row here: ``tests/unit/test_files_are_not_obeyed.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping

from spikewright.sources.event_sources import FORMATS

from . import binary_files, data_sets, formats, networks, own_data, records, teachers, toml_files
from . import data_seeds as valid
from .hdf5 import of_hdf5
from .reader import Row, same

V2_EVENT = [("address", ">u4"), ("t", ">u4")]
BIN = [("x", "u1"), ("y", "u1"), ("high", "u1"), ("middle", "u1"), ("low", "u1")]
SHARES: Mapping[str, float] = {
    **dict.fromkeys(("student", "nir", "chip", "netx", "many-h5"), 0.1),
    **dict.fromkeys(("activity", "weights", "cached-teacher", "event-folder", "many-npz", "heidelberg"), 0.3),
    **dict.fromkeys(("profile", "parquet", "mat", "event-h5"), 0.5),
    **dict.fromkeys(("machine", "anchors", "preset", "onnx", "event-npy", "cifar"), 2.0),
    **dict.fromkeys(("agreement", "times", "idx", "idx-gz", "cifar-pickled", "record", "settings"), 4.0),
    **dict.fromkeys(("bin", "dat", "aedat2", "aedat3", "failed", "teachers", "begun", "holder"), 5.0),
    **dict.fromkeys(("checkpoint", "images", "sounds"), 0.03),
    "study": 0.005,
}
"""Of all inputs, by weight: readers get less that are slow. Those that are not named here have 1."""
READERS: dict[str, Row] = {
    "student": Row(networks.student),
    "checkpoint": Row(networks.checkpoint_of_training),
    "nir": Row(networks.graph),
    "chip": Row(networks.chip),
    "netx": Row(networks.netx),
    "activity": Row(networks.activity),
    "agreement": Row(networks.agreement),
    "times": Row(networks.times),
    "profile": Row(toml_files.profile),
    "machine": Row(toml_files.machine),
    "anchors": Row(toml_files.anchors),
    "preset": Row(toml_files.preset),
    "onnx": Row(teachers.onnx),
    "weights": Row(teachers.weights),
    "safetensors": Row(teachers.safetensors, ("safetensors",)),
    "cached-teacher": Row(teachers.cached_teacher),
    "npz": Row(lambda _: own_data.own(".npz", valid.npz_files(), formats.of_npz, ".npz and .npy")),
    "npy": Row(
        lambda _: own_data.own(
            ".npy",
            valid.npy_files(),
            formats.of_npy,
            ".npz and .npy",
            name="x",
            beside=same([("y.npy", valid.LABELS)]),
        )
    ),
    "csv": Row(lambda _: own_data.own(".csv", valid.tables(), formats.of_lines(",;"), "tables and series")),
    "parquet": Row(
        lambda _: own_data.own(".parquet", valid.parquet_files(), formats.of_parquet, "tables and series"),
        ("pyarrow",),
    ),
    "ts": Row(lambda _: own_data.own(".ts", valid.ts_files(), formats.of_lines(",:"), "tables and series")),
    "arff": Row(lambda _: own_data.own(".arff", valid.arff_files(), formats.of_lines(", "), "tables and series")),
    "images": Row(lambda _: own_data.in_folders("images and sounds", "000.png", valid.pictures(), binary_files.of_png)),
    "sounds": Row(
        lambda _: own_data.in_folders("images and sounds", "000.wav", valid.sounds(), binary_files.of_wav),
        ("soundfile", "librosa"),
    ),
    "bin": own_data.recording(".bin", binary_files.of_records(BIN)),
    "dat": own_data.recording(".dat", binary_files.of_records([("t", "<u4"), ("address", "<u4")], b"% ")),
    "aedat2": own_data.recording(
        ".aedat2", binary_files.of_records([("address", ">u4"), ("t", ">u4")], b"# "), file="2.aedat"
    ),
    "aedat3": own_data.recording(".aedat3", binary_files.of_aedat3, file="3.aedat"),
    "aedat4": own_data.recording(".aedat4", binary_files.of_numbers),
    "event-h5": own_data.recording(".h5", of_hdf5),
    "event-npy": own_data.recording(".npy", formats.of_npy),
    "event-npz": own_data.recording(".npz", formats.of_npz),
    "mat": own_data.recording(".mat", binary_files.of_mat),
    "event-folder": Row(
        lambda made: own_data.in_folders(
            "events", "000.bin", valid.event_arrays(made.folder)[".bin"], binary_files.of_records(BIN)
        )
    ),
    "many-npz": Row(lambda _: own_data.own(".npz", valid.many_recordings(), formats.of_npz, "events", name="many")),
    "many-h5": Row(lambda made: own_data.own(".h5", valid.many_in_hdf5(made.folder), of_hdf5, "events", name="many")),
    "nmnist": Row(data_sets.nmnist),
    "gestures": Row(data_sets.gestures),
    "gesture-list": Row(data_sets.gesture_list),
    "heidelberg": Row(data_sets.spike_trains),
    "speech-commands": Row(data_sets.spoken_lists),
    "idx": Row(data_sets.idx),
    "idx-gz": Row(data_sets.packed_idx),
    "cifar": Row(data_sets.cifar_binary),
    "cifar-archive": Row(data_sets.cifar_archive),
    "cifar-pickled": Row(data_sets.cifar_pickled),
    "record": Row(records.record),
    "failed": Row(records.failed),
    "teachers": Row(records.teachers),
    "settings": Row(records.settings),
    "begun": Row(records.begun),
    "holder": Row(records.holder),
    "study": Row(records.study, ("optuna",)),
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
    "exchange/netx_layers.py": ("netx",),
    "graph/nir_io.py": ("nir",),
    "profile/profile.py": ("profile", "machine", "anchors"),
    "sources/aedat.py": ("aedat2", "aedat3", "aedat4"),
    "sources/arff_file.py": ("arff",),
    "sources/arrays.py": ("npz", "npy"),
    "sources/csv_file.py": ("csv",),
    "sources/event_arrays.py": ("event-h5", "event-npy", "event-npz", "many-npz", "many-h5"),
    "sources/event_binaries.py": ("bin", "dat", "nmnist", "event-folder"),
    "sources/event_sources.py": ("many-h5", "heidelberg"),
    "sources/images.py": ("images",),
    "sources/matlab_file.py": ("mat",),
    "sources/parquet_file.py": ("parquet",),
    "sources/sounds.py": ("sounds",),
    "sources/ts_file.py": ("ts",),
    "student/header.py": ("student",),
    "teachers/ann.py": ("cached-teacher",),
    "teachers/foreign.py": ("weights", "safetensors"),
    "teachers/onnx_model.py": ("onnx",),
    "teachers/weights.py": ("weights", "safetensors"),
    "training/checkpoint.py": ("checkpoint",),
    "base/lock.py": ("holder",),
    "training/result.py": ("begun",),
    "training/settings.py": ("preset",),
    "training/times.py": ("times",),
}
"""By module of the library that opens files of others, its readers here."""
ONE_RECORDING = {".bin", ".dat", ".aedat", ".aedat4", ".h5", ".hdf5", ".npy", ".npz", ".mat"}
"""Ends of names of :data:`~spikewright.sources.event_sources.FORMATS` that have a reader here."""
assert FORMATS.keys() == ONE_RECORDING
