"""Data of Python objects: torch data sets, data sets of Hugging Face, and what a function of one's own returns."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, Subset, TensorDataset

import spikewright as sw
from spikewright.data.options import DataOptions

X = np.random.default_rng(0).random((40, 1, 6, 6)).astype(np.float32)
Y = np.arange(40) % 2


def refusal(make: Any) -> str:
    with pytest.raises(sw.InputError) as caught:
        make()
    return str(caught.value)


class Items(TorchDataset[Any]):
    """A map-style data set of given items."""

    def __init__(self, items: list[Any], classes: list[str] | None = None) -> None:
        self.items = items
        if classes:
            self.classes = classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        item = self.items[index]
        return item() if callable(item) else item


def pairs(count: int = 40, **of: Any) -> list[tuple[Any, int]]:
    return [(of.get("make", lambda i: X[i])(i), i % 2) for i in range(count)]


def test_tensors_are_the_arrays_that_they_hold() -> None:
    theirs = sw.Dataset.from_arrays(X, Y)
    ours = sw.Dataset.from_torch(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)))
    assert ours.train.sha256 == theirs.train.sha256
    assert ours.output == theirs.output
    part = sw.Dataset.from_torch(Subset(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), range(20)))
    assert len(part.train) + len(part.validation) + len(part.test) == 20


def test_official_parts_names_groups_and_recipe() -> None:
    whole, recipe = Items(pairs(), ["cat", "dog"]), sw.Dataset.from_arrays(X, Y).recipe
    data = sw.Dataset.from_torch(
        whole, test=Items(pairs(10), ["cat", "dog"]), groups=list(np.arange(40) // 4), name="pets", recipe=recipe
    )
    assert (data.name, data.output.names, data.recipe) == ("pets", ("cat", "dog"), recipe)
    assert (len(data.train) + len(data.validation), len(data.test)) == (40, 10)


def test_images_of_pillow_are_bytes() -> None:
    pixels = (X * 255).astype(np.uint8)
    ours = sw.Dataset.from_torch(Items(pairs(make=lambda i: Image.fromarray(pixels[i, 0]))))
    assert ours.train.sha256 == sw.Dataset.from_arrays(pixels, Y).train.sha256
    small = sw.Dataset.from_torch(
        Items(pairs(make=lambda i: Image.fromarray(pixels[i, 0]))), image_size=3, colors="rgb"
    )
    assert small.shape == (3, 3, 3)


def test_recordings_may_be_of_unequal_lengths() -> None:
    recordings = [np.full((3 + i % 4, 2), i, np.float32) for i in range(40)]
    ours = sw.Dataset.from_torch(Items(pairs(make=lambda i: torch.from_numpy(recordings[i]))))
    assert ours.train.sha256 == sw.Dataset.from_arrays(recordings, Y).train.sha256


def test_values_are_learnt_from_torch_too() -> None:
    data = sw.Dataset.from_torch(
        TensorDataset(torch.from_numpy(X), torch.arange(80.0).reshape(40, 2)), task="regression"
    )
    assert (data.output.task, data.classes) == ("regression", 2)


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield X[0], 0


class Noisy(Items):
    def __getitem__(self, index: int) -> Any:
        return torch.rand(1, 6, 6), index % 2


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (Endless(), {}, "train: gives its samples only one after the other; give a map-style data set, which has a "
         "length and items by number, or arrays"),
        (Noisy(pairs()), {}, "train: item 0 is another one each time that it is asked for; leave random transforms "
         "out, and ask for augmentation in training"),
        (Items([(X[0], 0, 1)] * 9), {}, "train: item 0 holds 3 values; give a data set of pairs (sample, label)"),
        (Items([X[0]] * 9), {}, "train: item 0 holds a ndarray; give a data set of pairs (sample, label)"),
        (Items([("a picture", 0)] * 9), {}, "train: sample 0 is a ndarray, no array of numbers"),
        (Items([(X[0], 0), (X[0, :, :3], 1)]), {}, "train: sample 1 has shape (1, 3, 6), those before (1, 6, 6); only "
         "recordings (steps, channels) may be of unequal lengths"),
        (Items([(X[0].astype(np.uint8), 0), (X[0], 1)]), {}, "train: sample 1 is of type float32, those before uint8"),
        (Items([]), {}, "train: holds no samples"),
        (Items(pairs()), {"bands": 3}, "train: bands has no effect on these samples; leave it out"),
        (3, {}, "train: is an int; may be (x, y), a dictionary of arrays such as x and y, a Dataset, or a map-style "
         "data set of torch or Hugging Face"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_data_set(given: Any, options: dict[str, Any], message: str) -> None:
    assert refusal(lambda: sw.Dataset.from_torch(given, **options)) == f"data torch: {message}"


class Value:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class ClassLabel(Value):
    def __init__(self, names: list[str]) -> None:
        super().__init__("int64")
        self.names = names


class Audio:
    pass


class Hub:
    """What spikewright asks of a ``datasets.Dataset``: columns, features, rows by number."""

    def __init__(self, features: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.features, self.column_names, self._rows = features, list(features), rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index]


def table(count: int = 40) -> Hub:
    features = {"a": Value("float32"), "b": Value("int8"), "label": ClassLabel(["no", "yes"]), "who": Value("string")}
    return Hub(features, [{"a": i / 7, "b": i, "label": i % 2, "who": f"p{i % 5}"} for i in range(count)])


def test_columns_of_numbers_are_a_vector() -> None:
    data = sw.Dataset.from_huggingface(table(), group="who")
    assert (data.shape, data.output.names) == ((4, 1, 1), ("no", "yes"))
    assert data.raw is not None
    groups = [{int(row[1]) % 5 for row in part.samples[:]} for part in data.raw.parts.values()]
    assert sum(map(len, groups)) == 5
    both = sw.Dataset.from_huggingface({"train": table(), "test": table(8)}, columns=["b"])
    assert (both.shape, len(both.test)) == ((2, 1, 1), 8)


def test_sounds_of_the_hub_become_spectra() -> None:
    pytest.importorskip("librosa")
    features = {"audio": Audio(), "path": Value("string"), "label": ClassLabel(["low", "high"])}
    rows = [
        {"audio": {"array": np.sin(np.arange(800 + 80 * (i % 3)) * (0.3 + i % 2)), "sampling_rate": 8000}, "path": "a",
         "label": i % 2} for i in range(20)
    ]  # fmt: skip
    data = sw.Dataset.from_huggingface(Hub(features, rows), bands=16)
    assert data.shape == (2, 13, 16)
    assert data.input_rule is not None
    assert data.input_rule.reading["sample_rate"] == 8000
    rows[3]["audio"] = {"array": np.zeros(900), "sampling_rate": 16000}
    assert refusal(lambda: sw.Dataset.from_huggingface(Hub(features, rows))) == (
        "data hub: train: its sounds have several sample rates, such as 8000 and 16000 Hz; give sample_rate=16000, to "
        "which all are resampled"
    )


def test_the_real_package_where_it_is_installed() -> None:
    datasets, pyarrow = pytest.importorskip("datasets"), pytest.importorskip("pyarrow")
    pixels = (X * 255).astype(np.uint8)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    encoded = [{"bytes": png(each[0]), "path": None} for each in pixels]
    table = datasets.table.InMemoryTable(pyarrow.table({"image": encoded, "label": Y}).cast(features.arrow_schema))
    given = datasets.Dataset(table, info=datasets.DatasetInfo(features=features), fingerprint="made up")
    ours = sw.Dataset.from_huggingface(given)
    assert ours.train.sha256 == sw.Dataset.from_arrays(pixels, Y).train.sha256
    assert ours.output.names == ("cat", "dog")


def png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_what_is_wrong_with_a_data_set_of_the_hub() -> None:
    assert refusal(lambda: sw.Dataset.from_huggingface(table(), label="lable", columns="c")) == (
        "data hub: train: 2 faults\n"
        "  - label=lable: there is no such column; did you mean 'label'? may be: a, b, label, who\n"
        "  - columns=c: there is no such column; may be: a, b, label, who"
    )
    assert refusal(lambda: sw.Dataset.from_huggingface(table())) == (
        "data hub: train: which column holds the samples is not clear: a (Value), b (Value), who (Value); give "
        "columns=COLUMN"
    )
    lacking = table()
    lacking[3]["b"] = None
    assert refusal(lambda: sw.Dataset.from_huggingface(lacking, columns=["a", "b"])) == (
        "data hub: train: item 3 has no b; leave such items out"
    )
    assert refusal(lambda: sw.Dataset.from_huggingface({"train": table(), "extra": table()})).startswith(
        "data hub: has a part 'extra'; did you mean 'train'? may be: dev, test, "
    )


FUNCTIONS = """
import numpy as np, torch, spikewright as sw
from torch.utils.data import TensorDataset
x, y = np.random.default_rng(0).random((40, 1, 6, 6)).astype(np.float32), np.arange(40) % 2
calls = []
def pair():
    return x, y
def arrays():
    return {"x_train": x, "y_train": y, "x_test": x[:8], "y_test": y[:8]}
def tensors():
    return TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
def whole():
    return sw.Dataset.from_arrays(x, y, name="mine")
def counted():
    calls.append(1)
    return x / len(calls), y
def broken():
    return 1 / 0
def nothing():
    pass
number = 3
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    return tmp_path / "mine.py"


@pytest.mark.parametrize("name", ["pair", "tensors", "whole"])
def test_what_a_function_returns_is_a_data_set(functions: Path, name: str) -> None:
    assert sw.load(f"{functions}:{name}").train.sha256 == sw.Dataset.from_arrays(X, Y).train.sha256


def test_a_function_may_return_parts_and_heeds_options(functions: Path) -> None:
    assert len(sw.load(f"{functions}:arrays").test) == 8
    wide = DataOptions(intensities=(0, 2))
    for name in ("pair", "whole"):
        data = sw.load(f"{functions}:{name}", options=wide)
        assert data.input_rule is not None
        assert data.input_rule.gain == (0.5,)


def test_a_function_is_called_once_for_all_that_ask(functions: Path) -> None:
    first, second = (sw.load(f"{functions}:counted") for _ in range(2))
    assert first.train.sha256 == second.train.sha256
    functions.write_text(FUNCTIONS.replace("x / len", "x / 2 / len"))
    assert sw.load(f"{functions}:counted").train.sha256 != first.train.sha256


def test_what_is_wrong_with_a_function(functions: Path) -> None:
    for name, message in {
        "broken": f"{functions} raises ZeroDivisionError in line 18: division by zero",
        "number": "is no function; give one without arguments that returns data",
        "nothing": "is a NoneType; may be (x, y), a dictionary of arrays such as x and y, a Dataset, or a map-style "
        "data set of torch or Hugging Face",
    }.items():
        assert refusal(lambda name=name: sw.load(f"{functions}:{name}")) == f"data '{functions}:{name}': {message}"
    assert refusal(lambda: sw.load(f"{functions}:pear")).startswith(
        f"data '{functions}:pear': {functions} has no function 'pear'; did you mean 'pair'?"
    )
    assert refusal(lambda: sw.load(str(functions))) == (
        f"{functions}: is of a kind that is not read; give the function in it too, file.py:function"
    )


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, x=X, y=Y)
    first = sw.load(str(path))
    assert sw.load(str(path)).train is first.train
    np.savez(path, x=X / 2, y=Y)
    assert sw.load(str(path)).train.sha256 != first.train.sha256


def test_a_path_is_taken_wherever_its_text_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    random = np.random.default_rng(0)
    np.savez(path, x=random.normal(size=(40, 3)), y=np.arange(40) % 2)
    assert repr(sw.load(path)) == repr(sw.load(str(path)))
    small, once = sw.StudentSpec(architecture="mlp", width=2, timesteps=2), sw.Training(epochs=1, integer_from=1.0)
    trained = sw.distill(path, method="none", student=small, training=once)
    graph = sw.to_nir(trained.student)
    chips = [sw.lower(graph, profile="loihi2-assumed", calibrate=given) for given in (path, str(path))]
    assert repr(chips[0]) == repr(chips[1])
    counted = [sw.simulate(chips[0], given) for given in (path, str(path))]
    assert counted[0].provenance == counted[1].provenance
    assert counted[0].provenance["data"] == str(path)
