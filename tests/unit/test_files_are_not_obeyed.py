"""Nothing in a file is run or followed: for every reader, files that would run or lead somewhere if they were obeyed.

The judge is the audit hook of the fuzzer, and the kernel's own notice of files that are opened elsewhere.
"""

from __future__ import annotations

import ast
import io
import json
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
import torch
from campaigns.fuzz import formats, hdf5, work
from campaigns.fuzz.inputs import Input
from campaigns.fuzz.reader import Reader
from campaigns.fuzz.readers import READERS, WHERE
from campaigns.fuzz.seeds import ROOT, Seeds
from campaigns.fuzz.value_changes import INSIDE, PATHS, Obeyed

Traps = Callable[[bytes], Iterator[bytes]]
"""From a valid file to files that a reader must not obey."""
SPELLED = (*PATHS, f"{INSIDE}/code.py:run", "!!python/object/apply:os.system ['touch ran']", "=cmd|'/C touch ran'!A0")
STEP, PLACES = 23, 10
PICKLE = pickle.dumps(Obeyed())
PICKLE_0 = pickle.dumps(Obeyed(), protocol=0)


@pytest.fixture(scope="module")
def room() -> Iterator[work.Rooms]:
    with pytest.MonkeyPatch.context() as patch, work.rooms() as made:
        patch.setenv("SPIKEWRIGHT_CACHE", str(made.cache))
        yield made


@pytest.fixture(scope="module")
def made(room: work.Rooms) -> Seeds:
    return Seeds(room.seeds)


def texts(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all texts in a tree."""
    if isinstance(tree, str):
        yield path
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in parts:
        yield from texts(part, (*path, key))


def every_text_spelled(tree: Any) -> Iterator[Any]:
    """The tree with one text after the other as each that would lead somewhere; a JSON text opened on the way."""
    for path in texts(tree):
        holder = tree
        for key in path[:-1]:
            holder = holder[key]
        before = holder[path[-1]]
        for text in SPELLED:
            holder[path[-1]] = text
            yield tree
        if before[:1] == "{":
            for inner in every_text_spelled(json.loads(before)):
                holder[path[-1]] = json.dumps(inner)
                yield tree
        holder[path[-1]] = before


def some_spelled(tree: Any) -> Iterator[Any]:
    """Every so many of these: all texts come, and every spelling, but not each text in each spelling."""
    return islice(every_text_spelled(tree), 0, None, STEP)


def in_json(data: bytes) -> Iterator[bytes]:
    tree = json.loads(data)
    for each in some_spelled(tree):
        yield json.dumps(each).encode()
    for odd in ({"py/object": "os.system"}, {"$ref": f"{INSIDE}/data.h5"}, {"__reduce__": ["os.system", "touch ran"]}):
        yield json.dumps({**tree, **odd} if isinstance(tree, dict) else [odd]).encode()
    yield PICKLE


def in_toml(data: bytes) -> Iterator[bytes]:
    tree = formats.tomllib.loads(data.decode())
    for each in some_spelled(tree):
        yield "".join(f"{formats._toml_key(key)} = {formats._toml(value)}\n" for key, value in each.items()).encode()


def saved(content: object, new: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=new)
    return buffer.getvalue()


def in_torch(data: bytes) -> Iterator[bytes]:
    yield from (PICKLE, PICKLE_0, saved(Obeyed()), saved(Obeyed(), False), saved(torch.nn.Linear(1, 1)))
    content = torch.load(io.BytesIO(data), weights_only=True)
    for key in content:
        for new in (True, False):
            yield saved({**content, key: Obeyed()}, new)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), buffer)
    yield buffer.getvalue()
    if isinstance(content.get("header"), str):
        header = json.loads(content["header"])
        for each in some_spelled({"config": header["config"]}):
            yield saved({**content, "header": json.dumps({**header, **each})})
    yield from in_zip(data)


def in_zip(data: bytes) -> Iterator[bytes]:
    """Members that are pickles, or whose names lead out of the folder."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    for name, content in members.items():
        for other, held in ((name, PICKLE), (f"../../elsewhere/{name}", content), ("/tmp/ran", content)):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for each, kept in {**members, other: held}.items():
                    archive.writestr(each, kept)
            yield buffer.getvalue()


def in_arrays(data: bytes) -> Iterator[bytes]:
    array = np.array([Obeyed()] * 30, object)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    yield from (PICKLE, buffer.getvalue())
    if data[:2] == b"PK":
        with np.load(io.BytesIO(data)) as file:
            arrays = {name: file[name] for name in file.files}
        for name in arrays:
            np.savez(buffer := io.BytesIO(), **{**arrays, name: array})
            yield buffer.getvalue()
        yield from in_zip(data)


def in_hdf5(data: bytes) -> Iterator[bytes]:
    """Links and arrays that lie in other files, and texts that lead somewhere."""
    with h5py.File(io.BytesIO(data)) as file:
        places = hdf5._places(file)
    for place in places[:: -(-len(places) // PLACES)]:
        for number in range(12):  # of the ways of _linked each, more than once
            buffer = io.BytesIO(data)
            with h5py.File(buffer, "r+") as file:
                hdf5._linked(file, *hdf5._parent(file, place), Random(number))
            yield buffer.getvalue()
        for text in SPELLED[::5]:
            buffer = io.BytesIO(data)
            with h5py.File(buffer, "r+") as file:
                if not isinstance(file[place], h5py.Dataset) or (file[place].ndim and file[place].dtype != np.uint8):
                    break
                del file[place]
                file[place] = text
            yield buffer.getvalue()


def in_chip(data: bytes) -> Iterator[bytes]:
    """As in any HDF5 file, and the texts of its two headers."""
    yield from in_hdf5(data)
    for name in ("network", "provenance"):
        with h5py.File(io.BytesIO(data)) as file:
            said = json.loads(bytes(file[name][()]))
        for each in some_spelled(said):
            buffer = io.BytesIO(data)
            with h5py.File(buffer, "r+") as file:
                del file[name]
                file[name] = np.frombuffer(json.dumps(each).encode(), np.uint8)
            yield buffer.getvalue()


def in_onnx(data: bytes) -> Iterator[bytes]:
    model = onnx.ModelProto.FromString(data)
    for number in range(len(model.graph.initializer)):
        for place in (f"{INSIDE}/weights.bin", "/etc/passwd", "/dev/zero", "../elsewhere/../elsewhere/weights.bin"):
            changed = onnx.ModelProto.FromString(data)
            tensor = changed.graph.initializer[number]
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=place)
            yield changed.SerializeToString()
    for domain in ("com.microsoft.extensions", "ai.onnx.contrib", "x"):
        changed = onnx.ModelProto.FromString(data)
        changed.graph.node[0].op_type, changed.graph.node[0].domain = "PyOp", domain
        changed.opset_import.add(domain=domain, version=1)
        yield changed.SerializeToString()


def in_text(data: bytes) -> Iterator[bytes]:
    """Each field of a text file in turn, and the whole file, as what would lead somewhere."""
    yield from (PICKLE, PICKLE_0, b"#!/bin/sh\ntouch ran\n", b"import os\nos.system('touch ran')\n")
    lines = data.decode().split("\n")
    for number, line in enumerate(lines[:6]):
        for text in SPELLED:
            for changed in (text, f"{line},{text}", text + line):
                yield "\n".join([*lines[:number], changed, *lines[number + 1 :]]).encode()


def in_binary(data: bytes) -> Iterator[bytes]:
    """Files of another kind under this name, for a reader that would guess by the content."""
    yield from (PICKLE, PICKLE_0, b"#!/bin/sh\ntouch ran\n", saved(Obeyed()))
    yield b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(touch ran) (w) file pop\n%%EOF\n"
    yield b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "../elsewhere/data.h5">]><x>&e;</x>'
    yield data.replace(b"<dv version", b'<!DOCTYPE x [<!ENTITY e SYSTEM "../elsewhere/data.h5">]><dv version')
    yield b"#EXTM3U\n../elsewhere/data.h5\n"
    for text in SPELLED:
        yield data + text.encode()
        yield text.encode() + data


def in_safetensors(data: bytes) -> Iterator[bytes]:
    length = int.from_bytes(data[:8], "little")
    for header in in_json(data[8 : 8 + length]):
        yield len(header).to_bytes(8, "little") + header + data[8 + length :]
    yield from (PICKLE, saved(Obeyed()))


def in_parquet(data: bytes) -> Iterator[bytes]:
    """A type whose name made pyarrow unpickle its metadata (CVE-2023-47248), and the metadata of pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    for name in ("arrow.py_extension_type", "x"):
        metadata = {"ARROW:extension:name": name, "ARROW:extension:metadata": PICKLE}
        fields = [field.with_metadata(metadata) for field in table.schema]
        pq.write_table(table.cast(pa.schema(fields, {"pandas": PICKLE, "huggingface": f"{INSIDE}/code.py"})),
                       buffer := io.BytesIO())  # fmt: skip
        yield buffer.getvalue()
    yield PICKLE


def in_tar(data: bytes) -> Iterator[bytes]:
    """Members that are links, devices, or lead out of the folder."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info).read()) for info in archive]
    for kind, link in ((tarfile.SYMTYPE, f"{INSIDE}/data.h5"), (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.CHRTYPE, "")):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for number, (info, content) in enumerate(members):
                odd = tarfile.TarInfo(info.name)
                odd.type, odd.linkname = kind, link
                archive.addfile(odd if number == 0 else info, None if number == 0 else io.BytesIO(content))
        yield buffer.getvalue()
    yield from (PICKLE, data.replace(b"cifar", b"../..", 1))


def in_pickle(data: bytes) -> Iterator[bytes]:
    yield from (PICKLE, PICKLE_0, pickle.dumps({"data": Obeyed()}))


def in_sqlite(data: bytes, folder: Path) -> Iterator[bytes]:
    """Values that lead somewhere, and triggers and views that would load a library."""
    file = folder / "trap.db"
    for statement in (
        "create trigger t after insert on trials begin select load_extension('../elsewhere/code.py'); end",
        "create view v as select load_extension('../elsewhere/code.py')",
        'update trial_user_attributes set value_json = \'{"py/object": "os.system"}\'',
        *(
            f"update trial_user_attributes set value_json = '{json.dumps(text.replace(chr(39), ''))}'"
            for text in SPELLED
        ),
        *(f"update studies set study_name = '{text.replace(chr(39), '')}'" for text in SPELLED[:3]),
    ):
        file.write_bytes(data)
        connection = sqlite3.connect(file)
        connection.execute(statement)
        connection.commit()
        connection.close()
        yield file.read_bytes()


TRAPS: Mapping[str, Traps] = {
    **dict.fromkeys(("student", "checkpoint", "weights", "cached-teacher"), in_torch),
    **dict.fromkeys(("nir", "netx", "event-h5", "many-h5", "heidelberg"), in_hdf5),
    "chip": in_chip,
    **dict.fromkeys(
        ("activity", "agreement", "times", "record", "failed", "teachers", "settings", "begun", "holder"), in_json
    ),
    **dict.fromkeys(("profile", "machine", "anchors", "preset"), in_toml),
    "onnx": in_onnx,
    "safetensors": in_safetensors,
    **dict.fromkeys(("npz", "npy", "event-npy", "event-npz", "many-npz"), in_arrays),
    **dict.fromkeys(("csv", "ts", "arff", "gestures", "gesture-list", "speech-commands"), in_text),
    "parquet": in_parquet,
    **dict.fromkeys(
        ("images", "sounds", "bin", "dat", "aedat2", "aedat3", "aedat4", "mat", "event-folder", "nmnist", "idx"),
        in_binary,
    ),
    **dict.fromkeys(("idx-gz", "cifar"), in_binary),
    "cifar-archive": in_tar,
    "cifar-pickled": in_pickle,
    "study": lambda data: in_sqlite(data, Path.cwd()),
}
"""By reader, its traps."""
MOST = 100
"""Traps of one reader; of more, such as all texts of a profile, every so many."""


def test_every_reader_has_traps() -> None:
    assert TRAPS.keys() == READERS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_what_a_file_says_is_not_obeyed(
    name: str, made: Seeds, room: work.Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = READERS[name]
    if lacking := [module for module in row.needs if find_spec(module) is None]:
        pytest.skip(f"without {', '.join(lacking)}")
    monkeypatch.chdir(tmp_path)
    reader: Reader = row.make(made)
    work.warm_up(reader, room)
    work.clear(room)
    every = [Input(seed, trap) for seed, valid in enumerate(reader.seeds[:3]) for trap in TRAPS[name](valid)]
    chosen = every[:: -(-len(every) // MOST)]
    found = work.run_batch(reader, chosen.__getitem__, range(len(chosen)), room)
    work.clear(room)
    assert sum(found.ended.values()) == len(chosen) > 0
    assert not found.faults, next(iter(found.faults.values()))
    assert not (tmp_path / "ran").exists()


CALLS = {
    "File", "load_model", "model_validate_json", "read_json", "read_record", "load_torch", "ZipFile",
    "read_bytes", "read_text", "open", "open_memmap", "fromfile", "memmap", "loadtxt", "genfromtxt", "load_file",
    "ParquetFile", "Decoder", "create_study", "np.load", "torch.load", "json.loads", "tomllib.loads", "soundfile.read",
}  # fmt: skip
"""Names of functions by which files are opened or their text is read."""
OURS: Mapping[str, str] = {
    "base/artefacts.py": "hashes, and writes",
    "base/child.py": "what its own child process says",
    "base/keeper.py": "a lock, and files that it makes",
    "base/hdf5.py": "writes",
    "base/headers.py": "the JSON of others in this table",
    "base/memory.py": "what the system says of its memory",
    "base/processes.py": "what the other processes of a training say",
    "base/own_code.py": "code that the caller names",
    "base/terminal.py": "the terminal",
    "bench/work.py": "the study, through bench/database.py",
    "bench/workers.py": "an empty file that is locked",
    "chip/registers.py": "a text in the metadata of a graph or a student's file",
    "commands/streams.py": "standard streams",
    "commands/to_nir.py": "eight bytes, by which a graph is told from a student",
    "commands/simulate.py": "a text in the provenance of a chip network",
    "data/digits.py": "a file of an installed package",
    "energy/provenance.py": "texts in the provenance of a chip network",
    "exchange/lava_script.py": "whether a script is the one that would be written",
    "pages/card/sections.py": "a text in the metadata of a graph",
    "pages/paths.py": "whether a model card is ours",
    "simulation/worker.py": "what the process whose worker it is has written",
    "simulation/workers.py": "what its own workers have written",
    "simulation/lava": "files that the parent process has written",
    "simulation/raster.py": "writes",
    "sources/array_file.py": "the rows of an array whose header was read",
    "student/student.py": "the student's file, through base/torch_file.py",
    "training/callbacks.py": "writes",
}
"""By module that calls one of these and reads no file of others by itself, what it does with it."""


def opening() -> set[str]:
    """Modules of the library that call one of these functions."""
    library, found = ROOT / "src/spikewright", set()
    for file in library.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if {called, called.rpartition(".")[2]} & CALLS:
                found.add(file.relative_to(library).as_posix())
    return found


def test_every_module_that_opens_files_is_known_here() -> None:
    known = {*WHERE, *OURS}
    unknown = {name for name in opening() if not any(name == each or name.startswith(f"{each}/") for each in known)}
    assert not unknown, "give them a reader in tests/campaigns/fuzz/readers.py, or say here what they open"
    assert {name for names in WHERE.values() for name in names} == READERS.keys()
