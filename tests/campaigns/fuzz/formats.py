"""Structure-aware changes: a valid file is parsed, a value in it becomes another, and it is written validly again."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch

from spikewright.base.torch_file import unpacked

from .byte_changes import changed_bytes
from .value_changes import Obeyed, changed_tree, scalar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Change = Callable[[bytes, Random], bytes]
"""From a valid file to another of that form."""


def of_json(data: bytes, random: Random) -> bytes:
    """JSON; now and then with a name twice, which a dictionary cannot hold."""
    text = json.dumps(changed_tree(json.loads(data), random), default=_as_text)
    if random.random() < 0.05 and '": ' in text:
        name = text[: text.index('": ')].rpartition('"')[2]
        text = text.replace("{", f'{{"{name}": {json.dumps(scalar(random), default=_as_text)}, ', 1)
    return text.encode(errors="replace")


def of_toml(data: bytes, random: Random) -> bytes:
    """TOML, in tables of one line each."""
    tree = changed_tree(tomllib.loads(data.decode()), random, _toml_scalar)
    tree = tree if isinstance(tree, dict) else {"x": tree}
    return "".join(f"{_toml_key(key)} = {_toml(value)}\n" for key, value in tree.items()).encode(errors="replace")


def of_torch(data: bytes, random: Random) -> bytes:
    """A file of ``torch.save``: its values, the way in which it is written, or the members of its archive."""
    if data.startswith(b"PK") and random.random() < 0.15:
        return of_zip(data, random)
    content = _arrays(unpacked(io.BytesIO(data)))
    tree = changed_tree(content, random, _torch_scalar)
    buffer = io.BytesIO()
    torch.save(_tensors(tree, random), buffer, _use_new_zipfile_serialization=random.random() > 0.1)
    return buffer.getvalue()


def of_npz(data: bytes, random: Random) -> bytes:
    """Arrays in an archive: their values, or the members."""
    if data.startswith(b"PK") and random.random() < 0.15:
        return of_zip(data, random)
    with np.load(io.BytesIO(data)) as file:
        tree = changed_tree({name: file[name] for name in file.files}, random)
    buffer = io.BytesIO()
    write = random.choice((np.savez, np.savez_compressed))
    arrays = tree if isinstance(tree, dict) else {"x": tree}
    write(buffer, **{_name(name): _as_array(value) for name, value in arrays.items()})
    return buffer.getvalue()


def of_npy(data: bytes, random: Random) -> bytes:
    """An array: its values, or what its header says of it."""
    array = changed_tree([np.load(io.BytesIO(data))], random)
    buffer = io.BytesIO()
    np.save(buffer, _as_array(array[0] if isinstance(array, list) and array else array))
    made = buffer.getvalue()
    return _with_npy_header(made, random) if random.random() < 0.3 else made


def of_zip(data: bytes, random: Random) -> bytes:
    """An archive: a member that is changed, missing, doubled, renamed, packed, or that unpacks to much."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = random.randrange(len(members))
    name, content = members[place]
    other = random.choice(members)[1]
    changed = [
        (name, changed_bytes(content, random, [other])),
        (name, content[: random.randint(0, len(content))]),
        (name, other),
        (f"../{name}", content),
        (random.choice(("/etc/passwd", "x.npy", "x_train.npy", "data.pkl", "", "a" * 300)), content),
        (name, bytes(random.choice((10**6, 3 * 10**7)))),
    ]
    members[place : place + random.choice((0, 1, 1, 1))] = [random.choice(changed)]
    if random.random() < 0.1:
        members = members[:-1]
    buffer = io.BytesIO()
    packing = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in dict(members).items() if random.random() < 0.8 else members:
            archive.writestr(zipfile.ZipInfo(name), content, packing)
    return buffer.getvalue()


def of_gzip(inner: Change) -> Change:
    """A file that is packed by gzip."""

    def change(data: bytes, random: Random) -> bytes:
        return gzip.compress(inner(gzip.decompress(data), random), mtime=0)

    return change


def of_lines(separators: str) -> Change:
    """Text in lines of fields, such as a table."""

    def change(data: bytes, random: Random) -> bytes:
        text = data.decode()
        separator = next((each for each in separators if each in text), ",")
        tree = changed_tree([line.split(separator) for line in text.split("\n")], random)
        lines = tree if isinstance(tree, list) else [tree]
        joined = [separator.join(map(str, line)) if isinstance(line, list) else str(line) for line in lines]
        return "\n".join(joined).encode(errors="replace")

    return change


def of_safetensors(data: bytes, random: Random) -> bytes:
    """A header in JSON, its length before it, and the numbers behind it."""
    length = int.from_bytes(data[:8], "little")
    header, body = of_json(data[8 : 8 + length], random), data[8 + length :]
    said = random.choice((len(header), len(header), len(header), len(header) + 1, 2**63, 0))
    return said.to_bytes(8, "little") + header + random.choice((body, body, body[:-1], b""))


def _toml_scalar(random: Random) -> Any:
    return random.choice((scalar(random), scalar(random), _Written(random.choice(_TOML))))


class _Written(str):
    """Text that stands in TOML as it is."""


_TOML = ("1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "0x" + "f" * 40, "1e400", "+inf", "'x'", '"""x"""', "0o17")


def _toml_key(key: object) -> str:
    return json.dumps(str(key).encode(errors="replace").decode())


def _toml(value: Any) -> str:
    if isinstance(value, _Written):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)[:5000]
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_toml_key(key)} = {_toml(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return _toml_key(value)


def _torch_scalar(random: Random) -> Any:
    return random.choice((scalar(random), scalar(random), scalar(random), Obeyed(), {1: 2}, b"x", 1j))


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _arrays(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_arrays(each) for each in value]
    return value.numpy().copy() if isinstance(value, torch.Tensor) else value


def _tensors(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        return {key: _tensors(each, random) for key, each in value.items()}
    if isinstance(value, list):
        return [_tensors(each, random) for each in value]
    return _tensor(value, random) if isinstance(value, np.ndarray) else value


def _tensor(array: Any, random: Random) -> Any:
    """A tensor of an array; seldom one that is sparse, quantized, expanded, a parameter, or of no device's memory."""
    try:
        made = torch.from_numpy(np.ascontiguousarray(array))
    except (TypeError, ValueError):
        return array.tolist()
    if random.random() > 0.02:
        return made.reshape(array.shape)
    odd: tuple[Callable[[], Any], ...] = (
        made.to_sparse,
        lambda: torch.empty(10**9, device="meta"),
        lambda: torch.zeros(1).expand(10**9),
        lambda: torch.quantize_per_tensor(made.float(), 0.1, 0, torch.qint8),
        lambda: torch.nn.Parameter(made.float()),
        lambda: made.to(torch.bfloat16),
        lambda: torch.from_numpy(np.zeros(4, np.float32))[2:],
    )
    return random.choice(odd)()


def _as_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    try:
        with np.errstate(all="ignore"):
            return np.array(value)
    except (ValueError, TypeError, OverflowError):
        return np.zeros(2)


def _name(name: object) -> str:
    """A name that an archive can hold, and that is none of savez's own arguments."""
    text = str(name).replace("\0", "").encode(errors="replace").decode()[:1000]
    return text if text not in ("", "file", "args", "kwds") else "x"


def _with_npy_header(data: bytes, random: Random) -> bytes:
    """The array under a header that says something else of it, as long as the true one."""
    length = int.from_bytes(data[8:10], "little")
    shape = random.choice(("(-1,)", "(2**62,)", "(10**12,)", "(3,)", "()", "(1.5,)", "(True,)", "None", "(9999, 9999)"))
    dtype = random.choice(("'<f4'", "'|O'", "'<M8[s]'", "[('t', '<i8'), ('x', '|O')]", "'|V0'", "'<U9999'", "'x'"))
    text = f"{{'descr': {dtype}, 'fortran_order': {random.choice(('True', 'False', '1'))}, 'shape': {shape}, }}"
    return data[:10] + text.ljust(length - 1)[: length - 1].encode() + b"\n" + data[10 + length :]


def _as_text(value: object) -> str:
    return str(value)


def of_parquet(data: bytes, random: Random) -> bytes:
    """A table of Parquet: values, types, names and numbers of columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data)).to_pydict()
    tree = changed_tree(table, random)
    columns = {}
    for name, values in (tree if isinstance(tree, dict) else {"x": tree}).items():
        listed = values if isinstance(values, list) else [values] * 30
        try:
            columns[_name(name)] = pa.array((listed + listed[:1] * 40)[:30])
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            columns[_name(name)] = pa.array([str(each).encode(errors="replace") for each in (listed * 30)[:30]])
    columns = {name: values for name, values in columns.items() if len(values) == 30} or {"x": pa.array([1])}
    buffer = io.BytesIO()
    try:
        pq.write_table(pa.table(columns), buffer)
    except (pa.ArrowException, ValueError):
        pq.write_table(pa.table({"x": pa.array([{"a": 1}, None])}), buffer := io.BytesIO())
    return buffer.getvalue()


def of_pickle(data: bytes, random: Random) -> bytes:
    """A pickle of other values, some of which run a command where a reader makes them."""
    tree = changed_tree({"data": [1, 2], "labels": [0, 1], "size": len(data)}, random, _torch_scalar)
    return pickle.dumps(tree, protocol=random.choice((0, 2, 4)))
