"""Headers and numbers that make no sense: one sentence and exit code 2, soon, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

QUICK_S = 10.0  # measured: half a second; the machine that runs tests may be busy
DEEP = "[" * 100_000
NAN, INF = float("nan"), float("inf")


def assert_refused(tries: dict[str, list[str]], tried: Any, *, also: tuple[int, ...] = ()) -> None:
    """Every command line ends with exit code 2, or one of ``also``, quickly, and with a sentence."""
    for name, ended in zip(tries, tried([{"words": words} for words in tries.values()]), strict=True):
        assert ended.code in (2, *also), (name, ended)
        assert "Traceback" not in ended.said, (name, ended)
        assert ended.seconds < QUICK_S, (name, ended)
        if ended.code == 2:
            assert "error: " in ended.said, (name, ended)


def student_with(small: Any, file: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """The small student with another header."""
    content = torch.load(small.student, weights_only=True)
    header = json.loads(content["header"])
    edit(header)
    torch.save({**content, "header": json.dumps(header)}, file)
    return file


CONFIG = {
    "width": (0, 10**6, 10**30, "x", NAN),
    "timesteps": (10**9, 10**30, 1.5),
    "classes": (10**9, None),
    "input_shape": ([1], [1, 0, 8], [1, 10**6, 10**6], ["a", 8, 8]),
    "encoding": ("x", 7),
    "architecture": ("nope", ["mlp"]),
    "input_bits": (99,),
    "neuron": (None, {"beta": NAN}, {"threshold": INF}, {"beta": "x"}, {"more": 1}),
    "input_rule": (7, {}, []),
    "output": (7, {"task": "x"}),
    "unknown": (1,),
}


def test_the_configuration_of_a_student(small: Any, tried: Any, tmp_path: Path) -> None:
    tries = {}
    for key, values in CONFIG.items():
        for number, value in enumerate(values):
            file = tmp_path / f"{key}-{number}.pt"
            student_with(small, file, lambda header, key=key, value=value: header["config"].update({key: value}))
            tries[f"{key}={value}"] = ["to-nir", str(file), "-o", str(tmp_path / "x.nir")]
    assert_refused(tries, tried)
    assert not (tmp_path / "x.nir").exists()


def test_the_header_of_a_student(small: Any, tried: Any, tmp_path: Path) -> None:
    content = torch.load(small.student, weights_only=True)
    header = json.loads(content["header"])
    broken = {f"{key}={value}": json.dumps({**header, key: value}) for key in header for value in (7, {"x": 1}, [])}
    broken |= {f"without {key}": json.dumps({k: v for k, v in header.items() if k != key}) for key in header}
    for optional in ("without integer", "provenance={'x': 1}"):
        del broken[optional]
    broken |= {"deep": DEEP, "no JSON": "{", "a list": "[]", "a number": "7", "long": "9" * 10_000}
    tries = {}
    for number, (name, text) in enumerate([*broken.items(), ("bytes", b"\xff"), ("None", None)]):
        file = tmp_path / f"{number}.pt"
        torch.save({**content, "header": text}, file)
        tries[name] = ["to-nir", str(file), "-o", str(tmp_path / "x.nir")]
    assert_refused(tries, tried)


def test_the_weights_of_a_student(small: Any, tried: Any, tmp_path: Path) -> None:
    content = torch.load(small.student, weights_only=True)
    weights = content["weights"]
    first = next(iter(weights))
    broken: dict[str, object] = {
        "none": None,
        "a number": {**weights, first: 1.0},
        "nan": {**weights, first: weights[first] * NAN},
        "integers": {**weights, first: weights[first].to(torch.int64)},
        "complex": {**weights, first: weights[first].to(torch.complex64)},
        "sparse": {**weights, first: weights[first].to_sparse()},
        "meta": {**weights, first: torch.empty(10**9, device="meta")},
        "one value for many": {**weights, first: torch.zeros(1).expand(10**9)},
        "missing": {},
    }
    tries = {}
    for name, made in broken.items():
        torch.save({**content, "weights": made}, tmp_path / f"{name}.pt")
        tries[name] = ["to-nir", str(tmp_path / f"{name}.pt"), "-o", str(tmp_path / "x.nir")]
    assert_refused(tries, tried)


ODD = {
    "nan": NAN,
    "not UTF-8": np.bytes_(b"\xff\xfe"),
    "compound": np.zeros(2, dtype=[("a", "i4"), ("b", "f4")]),
    "unsigned": np.uint64(2**64 - 1),
    "texts": np.array([b"a", b"b"]),
    "text": "x",
}


def graph_with(small: Any, file: Path, place: str, value: object) -> Path:
    """The small graph with another value at a place."""
    file.write_bytes(small.graph.read_bytes())
    with h5py.File(file, "r+") as opened:
        if place in opened:
            del opened[place]
        opened.create_dataset(place, data=value)
    return file


def places_of(small: Any, group: str) -> list[str]:
    """The values in a group of the small graph's file."""
    found: list[str] = []
    with h5py.File(small.graph) as opened:
        opened[group].visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return [f"{group}/{name}" for name in found]


@pytest.mark.parametrize("group", ["node/metadata", "node/nodes"])
def test_values_of_a_graph(group: str, small: Any, tried: Any, tmp_path: Path) -> None:
    tries = {}
    for place in places_of(small, group):
        for name, value in ODD.items():
            file = graph_with(small, tmp_path / f"{len(tries)}.nir", place, value)
            tries[f"{place}: {name}"] = ["lower", str(file), "-o", str(tmp_path / "x.h5")]
    # what nobody reads, or what may be negative, is no fault
    assert_refused(tries, tried, also=(0, 1))
    certain = {name: words for name, words in tries.items() if name.endswith((": nan", ": compound", ": not UTF-8"))}
    assert_refused(certain, tried)


def test_names_in_a_graph_that_are_not_utf_8(small: Any, tried: Any, tmp_path: Path) -> None:
    tries = {}
    for group in ("node/metadata", "node/nodes"):
        file = tmp_path / f"{group[-5:]}.nir"
        file.write_bytes(small.graph.read_bytes())
        with h5py.File(file, "r+") as opened:
            opened[group].create_group(b"\xff\xfe")
        tries[group] = ["lower", str(file), "-o", str(tmp_path / "x.h5")]
    assert_refused(tries, tried)


def test_a_small_graph_that_claims_forty_million_inputs(tried: Any, tmp_path: Path) -> None:
    import nir

    size = 4 * 10**7
    dense = nir.Linear(np.zeros((1, size), np.float32))
    one = np.ones(1)
    nodes = {
        "input": nir.Input(np.array([size])),
        "dense": dense,
        "lif": nir.LIF(one, one, 0 * one, one, 0 * one),
        "output": nir.Output(np.array([1])),
    }
    edges = [("input", "dense"), ("dense", "lif"), ("lif", "output")]
    nir.write(tmp_path / "large.nir", nir.NIRGraph(nodes, edges, type_check=False))
    assert (tmp_path / "large.nir").stat().st_size < 2**20
    lower = ["lower", str(tmp_path / "large.nir"), "--timesteps", "4", "--encoding", "direct"]
    assert_refused({"lower": [*lower, "-o", str(tmp_path / "x.h5")]}, tried)


def test_the_head_of_a_chip_file(small: Any, tried: Any, tmp_path: Path) -> None:
    tries = {}

    def attempt(name: str, edit: Callable[[h5py.File], None]) -> None:
        file = tmp_path / f"{len(tries)}.h5"
        file.write_bytes(small.chip.read_bytes())
        with h5py.File(file, "r+") as opened:
            edit(opened)
        tries[name] = ["simulate", str(file), "--samples", "2", "-o", str(tmp_path / "a.json")]

    for attribute in ("format", "format_version"):
        for value in (np.zeros(3), b"\xff", np.zeros(2, dtype=[("a", "i4")])):
            attempt(f"{attribute}={value!r}", lambda file, at=attribute, to=value: file.attrs.__setitem__(at, to))
    for text in ("network", "provenance"):
        for content in (DEEP.encode(), b"\xff", b"9" * 10_000, b'{"a": NaN}'):

            def edit(file: h5py.File, text: str = text, content: bytes = content) -> None:
                del file[text]
                file[text] = np.frombuffer(content, np.uint8)

            attempt(f"{text}: {content[:10]!r}", edit)
    assert_refused(tries, tried)


def test_an_activity_that_is_no_json(small: Any, tried: Any, tmp_path: Path) -> None:
    tries = {}
    whole = small.activity.read_text()
    nan = whole.replace('"provenance": {', '"provenance": {"x": NaN, ', 1)
    assert nan != whole
    for name, content in (("deep", DEEP), ("long", "9" * 10_000), ("nan", nan)):
        (tmp_path / f"{name}.json").write_text(content)
        tries[name] = ["report", str(tmp_path / f"{name}.json"), str(small.chip), "-o", str(tmp_path / "report")]
    assert_refused(tries, tried)


TRAINING = ["--data", "digits", "--train-samples", "20", "--epochs", "1", "--method", "none"]


def test_toml_that_is_nested_too_deeply_or_has_endless_numbers(tried: Any, tmp_path: Path) -> None:
    tries = {}
    for name, text in (("deep", "a=" + DEEP), ("long", "a=" + "9" * 10_000), ("nan", "seed=nan")):
        (tmp_path / f"{name}.toml").write_text(text)
        tries[f"{name}, a profile"] = ["profiles", str(tmp_path / f"{name}.toml")]
        preset = ["--preset", str(tmp_path / f"{name}.toml")]
        tries[f"{name}, a preset"] = ["distill", *TRAINING, *preset, "-o", str(tmp_path / "x.pt")]
    assert_refused(tries, tried)


NUMBERS = (
    "--threshold inf", "--threshold 1e300", "--beta nan", "--learning-rate inf", "--weight-decay inf",
    "--seed 18446744073709551616", f"--seed {10**40}", "--teacher-seed 18446744073709551616",
    "--energy-budget 1e300J", "--also-within loihi1-davies=1e300J", "--width 1000000", f"--width {10**30}",
    "--timesteps 1000000000", f"--epochs {10**30}", f"--batch {10**30}", "--scale-margin inf", "--shorten inf",
    f"--rounds {10**30}", "--population 1000000", f"--assistant {10**30}", "--reserve nan", "--max-rate lif1=inf",
    "--method kd:temperature=1e300", "--regularize activation:weight=inf", "--integer-from nan",
)  # fmt: skip


def test_numbers_of_a_training(tried: Any, tmp_path: Path) -> None:
    tries = {}
    for words in NUMBERS:
        given = words.split()
        small = [] if given[0] == "--width" else ["--width", "2"]
        t = [] if given[0] == "--timesteps" else ["-T", "1"]
        tries[words] = ["distill", *TRAINING, *small, *t, *given, "-o", str(tmp_path / "x.pt")]
    assert_refused(tries, tried)
    assert not list(tmp_path.iterdir())


def test_numbers_of_the_other_commands(small: Any, tried: Any, tmp_path: Path) -> None:
    graph, chip, activity = str(small.graph), str(small.chip), str(small.activity)
    out = ["-o", str(tmp_path / "x")]
    tries = {
        "simulate, a seed": ["simulate", chip, "--seed", str(2**64), "--samples", "2", *out],
        "report, a seed": ["report", activity, chip, "--seed", str(2**64), *out],
        "report, a budget": ["report", activity, chip, "--energy-budget", "1e300J", *out],
        "drift, a seed": ["drift", graph, chip, "--seed", str(2**64)],
        "to-nir, samples": ["to-nir", str(small.student), "--samples", str(10**30), *out],
        "lower, a time step": ["lower", graph, "--dt", "nan", *out],
        "lower, a margin": ["lower", graph, "--calibrate", "digits", "--margin", "nan", *out],
    }
    assert_refused(tries, tried)


def test_a_checkpoint_of_other_values(tried: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikewright.commands.cli import main
    from spikewright.training import result

    out = tmp_path / "s.pt"
    words = ["distill", *TRAINING, "--width", "2", "-T", "1", "-o", str(out)]
    monkeypatch.setattr(result.Attempts, "forget", lambda self: None)
    assert main(words) == 0
    (tmp_path / "s.pt.checkpoint.0.done").unlink()
    checkpoint = tmp_path / "s.pt.checkpoint"
    state = torch.load(checkpoint, weights_only=True)
    certain = ("identity", "student", "timesteps", "grid", "optimizer", "controllers", "history", "step")
    broken: list[object] = [{**state, name: value} for name in certain for value in ("x", [1], NAN)]
    broken += [{name: value for name, value in state.items() if name != each} for each in state]
    broken += [[1], {}, {**state, "identity": DEEP}, {**state, "history": [{"x": 1}]}, {**state, "timesteps": 7}]
    for number, content in enumerate(broken):
        torch.save(content, checkpoint)
        assert_refused({str(number): [*words, "--resume"]}, tried)
    torch.save(state, checkpoint)
    (ended,) = tried([{"words": [*words, "--resume"]}])
    assert ended.code == 0, ended
