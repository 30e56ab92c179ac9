"""Changes of values in a tree of dictionaries, lists, numbers, texts and arrays: another kind, size, name or place."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

INSIDE = "../elsewhere"
"""A folder beside that of the file, of which no reader has to know."""
PATHS = (
    f"{INSIDE}/code.py:run", f"{INSIDE}/code.py", f"{INSIDE}/data.h5", f"{INSIDE}/model.onnx", f"{INSIDE}/weights.bin",
    f"{INSIDE}/profile.toml", f"{INSIDE}/student.pt", f"{INSIDE}/data.npz", "code.py:run", "/etc/passwd", "/dev/zero",
    "/proc/self/mem", "~/x", "file:///etc/passwd", "http://localhost:9/x", "\\\\host\\share", "os:system",
    "__import__('os').system('touch ran')", "$(touch ran)", "!!python/object/apply:os.system ['touch ran']",
    "{{7*7}}", "%s%n", "../../../../tmp/ran",
)  # fmt: skip
"""Texts that would lead somewhere or run something if they were obeyed."""
TEXTS = (
    "", "x", "0", "-1", "1e9", "nan", "NaN", "Infinity", "true", "null", "\u00b2", "\u0661\u0662", "\u00bd", "1_000",
    " 1 ", "0x10", "\x00", "a\x00b", "\n", "\t", "\x1b[31m", "\u202e", "\ud800", "\U0001f600", "x" * 10_000,
    "9" * 5000, "[" * 2000, '{"a":' * 500, "<script>alert(1)</script>", "lif1", "conv1", "dense1", "membrane",
    "count", "direct", "rate", "latency", "current", "events", "mlp", "convnet", "loihi1-davies", "loihi2-assumed",
    "digits", "images", "series", "vectors", *PATHS,
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 3, 7, 8, 16, 64, 100, 255, 256, -128, 1000, 65_535, 65_536, 10**6, 2**24, 2**31 - 1, 2**31, -(2**31),
    2**32, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, 10**30, -(10**30), 10**400, 0.0, -0.0, 0.5, 1.5,
    -1.5, 1e-300, 5e-324, 1e300, -1e300, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
SHARES = (0.05, 0.999, 1.0, 1.001, 1 / 3)


@dataclass(frozen=True)
class Obeyed:
    """What a pickle makes of this object is a call; only a reader that obeys pickles makes it."""

    command: str = "touch ran"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def scalar(random: Random) -> Any:
    """A number, a text, nothing, or a small container."""
    pools: tuple[Callable[[], Any], ...] = (
        lambda: random.choice(NUMBERS),
        lambda: random.choice(NUMBERS),
        lambda: random.choice(SHARES),
        lambda: random.choice(TEXTS),
        lambda: random.choice((None, True, False, [], {}, [[]], [None], {"x": 1}, {"": None}, [1, "x"], [1.5, -1])),
        lambda: random.randint(-300, 300),
        lambda: [random.choice(NUMBERS) for _ in range(random.choice((1, 2, 3, 4, 6)))],
        lambda: nested(random.choice((3, 40, 300)), random),
    )
    return random.choice(pools)()


def nested(depth: int, random: Random) -> Any:
    """A list or a dictionary so many levels deep."""
    found: Any = random.choice((0, "x", []))
    is_list = random.random() < 0.5
    for _ in range(depth):
        found = [found] if is_list else {"a": found}
    return found


def changed_tree(tree: Any, random: Random, make: Callable[[Random], Any] = scalar) -> Any:
    """A copy with one change, sometimes with some more.

    Args:
        tree: is not changed.
        make: a value of any other kind, as the format can hold it.
    """
    tree = copy.deepcopy(tree)
    for _ in range(random.choice((1, 1, 1, 1, 2, 4))):
        tree = _changed_once(tree, random, make)
    return tree


def _changed_once(tree: Any, random: Random, make: Callable[[Random], Any]) -> Any:
    path = _somewhere(tree, random)
    if not path:
        return make(random) if random.random() < 0.1 or not _parts(tree) else _of_container(tree, tree, random, make)
    holder = tree
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    if _parts(value) and random.random() < 0.6:
        holder[path[-1]] = _of_container(value, tree, random, make)
    else:
        holder[path[-1]] = _of_value(value, tree, random, make)
    return tree


def _parts(value: Any) -> list[Any]:
    """Keys or indices by which one goes on into a container; none of a leaf."""
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def _somewhere(tree: Any, random: Random) -> list[Any]:
    """The way to a random place; deep ones are as likely as others."""
    path: list[Any] = []
    while (parts := _parts(tree)) and random.random() < (0.97 if not path else 0.85):
        key = random.choice(parts)
        path.append(key)
        tree = tree[key]
    return path


def _of_value(value: Any, tree: Any, random: Random, make: Callable[[Random], Any]) -> Any:
    """Another value in place of one."""
    if random.random() < 0.3:
        return make(random)
    if isinstance(value, bool) or value is None:
        return random.choice((not value, make(random)))
    if isinstance(value, int | float):
        return _number(value, random)
    if isinstance(value, str):
        return _text(value, random, make)
    if isinstance(value, bytes):
        return random.choice((b"", value[:-1], value + b"\0", value[::-1], b"\xff\xfe", value * 2))
    if isinstance(value, np.ndarray):
        return changed_array(value, random)
    return random.choice((make(random), [value], {"x": value}, copy.deepcopy(_at(tree, _somewhere(tree, random)))))


def _at(tree: Any, path: list[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _number(value: float, random: Random) -> Any:
    try:
        near = (value + 1, value - 1, -value, value * 2, value // 2, value * 1000, float(value), str(value), [value])
    except OverflowError:
        return random.choice(NUMBERS)
    return random.choice((*near, random.choice(NUMBERS), random.choice(NUMBERS)))


def _text(value: str, random: Random, make: Callable[[Random], Any]) -> Any:
    """Another text; of one that is JSON, another JSON."""
    if value[:1] in "{[" and random.random() < 0.9:
        try:
            return json.dumps(changed_tree(json.loads(value), random, _plain), default=str)
        except (ValueError, RecursionError):
            pass
    ways = (value + "x", value[:-1], value.upper(), value * 2, f" {value}", random.choice(TEXTS), make(random))
    return random.choice(ways)


def _plain(random: Random) -> Any:
    made = scalar(random)
    return made.encode(errors="replace").decode() if isinstance(made, str) else made


def _of_container(value: Any, tree: Any, random: Random, make: Callable[[Random], Any]) -> Any:
    """The container with a part more, less, twice, elsewhere or under another name."""
    parts = _parts(value)
    way = random.choice(("less", "more", "twice", "swap", "copied", "many", "wrapped", "none"))
    key = random.choice(parts)
    if way == "less":
        del value[key]
    elif way == "swap":
        other = random.choice(parts)
        value[key], value[other] = value[other], value[key]
    elif way == "copied":
        value[key] = copy.deepcopy(_at(tree, _somewhere(tree, random)))
    elif way == "wrapped":
        return random.choice(([value], {"x": value}))
    elif way == "none":
        return type(value)()
    elif isinstance(value, list):
        again = {"more": [make(random)], "twice": [copy.deepcopy(value[key])], "many": value * 40}[way]
        value[key:key] = again[:5000]
    else:
        _into_dict(value, key, way, random, make)
    return value


def _into_dict(value: dict[Any, Any], key: Any, way: str, random: Random, make: Callable[[Random], Any]) -> None:
    if way == "more":
        value[random.choice(TEXTS)] = make(random)
    elif way == "twice":  # under another name, in its place
        items = [(f"{name}x" if name == key else name, part) for name, part in value.items()]
        value.clear()
        value.update(items)
    else:
        value.update({f"{key}{number}": copy.copy(value[key]) for number in range(50)})


DTYPES = ("<i8", "<i4", "<i2", "i1", "u1", "<u8", ">i4", "<f2", "<f4", "<f8", "<c8", "?", "S3", "U2", "O", "M8[s]")


def changed_array(array: Any, random: Random) -> Any:
    """An array with another type, shape, order or values."""
    array = np.array(array)
    ways = (_with_value, _with_value, _with_value, _of_type, _of_shape, _of_shape, _odd)
    with np.errstate(all="ignore"):
        try:
            return random.choice(ways)(array, random)
        except (ValueError, TypeError, OverflowError):
            return np.zeros(random.choice(((), (0,), (3,), (0, 4), (2, 3, 4))), random.choice(DTYPES[:-3]))


def _with_value(array: Any, random: Random) -> Any:
    if not array.size:
        return np.zeros(3)
    flat = array.reshape(-1)
    for _ in range(random.choice((1, 1, 5))):
        flat[random.randrange(flat.size)] = random.choice(NUMBERS)
    return flat.reshape(array.shape)


def _of_type(array: Any, random: Random) -> Any:
    dtype = random.choice(DTYPES)
    if dtype == "O":
        made = np.empty(array.shape[:1] or (1,), object)
        made[:] = random.choice((None, "x", Obeyed()))
        return made
    if array.dtype.kind == "S" and dtype == "M8[s]":  # numpy 1.26 ends the process over texts that are no dates
        return np.zeros(array.shape, dtype)
    return array.astype(dtype)


def _of_shape(array: Any, random: Random) -> Any:
    whole = array.reshape(-1)
    ways: tuple[Callable[[], Any], ...] = (
        lambda: array[..., None],
        lambda: array[None],
        lambda: array.T,
        lambda: np.asfortranarray(array),
        lambda: whole,
        lambda: whole[:-1],
        lambda: array[:-1],
        lambda: array[:1],
        lambda: array[:0],
        lambda: array.sum(),
        lambda: np.concatenate([array, array]),
        lambda: np.concatenate([array[:1]] * 500),
        lambda: array[::-1],
        lambda: whole[:1].reshape((1,) * 9),
        lambda: np.zeros(random.choice(((0,), (0, 0), (1, 0, 3), (1, 10**6), (3, 3, 3, 3))), array.dtype),
    )
    return random.choice(ways)()


def _odd(array: Any, random: Random) -> Any:
    """All values alike, records, or a claim that compression makes small."""
    ways: tuple[Callable[[], Any], ...] = (
        lambda: np.full(array.shape, random.choice((float("nan"), float("inf"), 1e300, -1e300, 5e-324))),
        lambda: np.full(array.shape, random.choice((0, -1, 2**31, 2**62))),
        lambda: np.zeros(array.shape[:1] or (2,), [("t", "<i8"), ("x", "<f4")]),
        lambda: np.zeros(random.choice((10**6, 4 * 10**6)), random.choice(("u1", "<f4"))),
        lambda: np.array(random.choice(TEXTS)),
        lambda: np.array([random.choice(TEXTS[:30]) for _ in range(4)]),
        lambda: array.byteswap().view(array.dtype.newbyteorder()),
    )
    return random.choice(ways)()
