"""State dicts from files: opened out of checkpoints, fitted to a network's names, refused with what does not fit."""

from __future__ import annotations

import pickle
import sys
import warnings
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from spikewright.base.errors import InputError
from spikewright.teachers.weights import load_weights, read_weights


def network(classes: int = 5, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = {"conv": nn.Conv2d(1, 2, 3), "norm": nn.BatchNorm2d(2), "flat": nn.Flatten(), "fc": nn.Linear(72, classes)}
    return nn.Sequential(OrderedDict(layers))


STATE = network(seed=1).state_dict()
Named = Mapping[str, Tensor]


def under(prefix: str, state: Named = STATE) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def loaded(content: object, path: Path, into: nn.Module | None = None) -> tuple[nn.Module, tuple[str, ...]]:
    """A fresh network with the weights of a file, and what was done to them."""
    file = path / "w.pt"
    torch.save(content, file)
    fresh = into or network()
    return fresh, load_weights(fresh, read_weights(file), "net.py:build")


def refusal(content: object, path: Path, into: nn.Module | None = None) -> str:
    with pytest.raises(InputError) as caught:
        loaded(content, path, into)
    return str(caught.value).replace(str(path / "w.pt"), "w.pt")


def same(found: nn.Module, expected: Named = STATE) -> bool:
    return all(torch.equal(value, expected[name]) for name, value in found.state_dict().items())


ACCEPTED: dict[str, tuple[object, list[str]]] = {
    "plain": (dict(STATE), []),
    "data parallel": (under("module."), ["w.pt: 'module.' taken off its names"]),
    "compiled": (under("_orig_mod."), ["w.pt: '_orig_mod.' taken off its names"]),
    "both": (under("module._orig_mod."), ["w.pt: 'module.' and '_orig_mod.' taken off its names"]),
    "lightning": (
        {"epoch": 3, "state_dict": under("model."), "optimizer_states": [], "loops": {}, "callbacks": {}},
        [
            "w.pt: state_dict of the checkpoint is used; left out: epoch, optimizer_states, loops and 1 more",
            "w.pt: the prefix 'model.' taken off its names",
        ],
    ),
    "lightning, compiled, with a loss": (
        {"state_dict": {**under("net._orig_mod."), "criterion.weight": torch.ones(5)}},
        [
            "w.pt: state_dict of the checkpoint is used",
            "w.pt: what is under 'net._orig_mod.' is used; left out: criterion.weight",
        ],
    ),
    "a training script": (
        {"model_state_dict": dict(STATE), "loss": 0.3},
        ["w.pt: model_state_dict of the checkpoint is used; left out: loss"],
    ),
    "another script": ({"model": under("a.b.")}, [
        "w.pt: model of the checkpoint is used", "w.pt: the prefix 'a.b.' taken off its names",
    ]),
    "no counters of batches": (
        {name: value for name, value in STATE.items() if "num_batches" not in name}, []
    ),
    "half precision": ({name: value.half().float() for name, value in STATE.items()}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_state_dict_is_found_and_what_was_done_is_said(name: str, tmp_path: Path) -> None:
    content, expected = ACCEPTED[name]
    found, remarks = loaded(content, tmp_path)
    assert list(remarks) == expected
    if name == "half precision":
        assert torch.allclose(found.state_dict()["fc.weight"], STATE["fc.weight"], atol=1e-3)
    elif name != "no counters of batches":
        assert same(found)


def test_a_wrapper_that_the_network_has_itself_stays(tmp_path: Path) -> None:
    found, remarks = loaded(under("module."), tmp_path, nn.DataParallel(network()))
    assert remarks == ()
    assert same(found, under("module."))


def test_tied_weights_need_one_name(tmp_path: Path) -> None:
    def tied() -> nn.Module:
        layers = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        layers[2].weight = layers[0].weight
        return layers

    state = tied().state_dict()
    found, _ = loaded({name: value for name, value in state.items() if name != "2.weight"}, tmp_path, tied())
    assert torch.equal(found.state_dict()["2.weight"], state["0.weight"])


def test_of_two_sets_of_weights_neither_is_guessed(tmp_path: Path) -> None:
    assert refusal({"state_dict": {**under("model."), **under("ema.", network(seed=2).state_dict())}}, tmp_path) == (
        "w.pt: holds more than one set of weights that fits net.py:build, under 'model.' and 'ema.'; write one alone"
    )


def test_everything_that_does_not_fit_is_said_at_once(tmp_path: Path) -> None:
    other = {**under("module.", network(classes=7).state_dict()), "module.extra": torch.ones(1)}
    del other["module.norm.weight"], other["module.norm.bias"]
    assert refusal(other, tmp_path) == (
        "w.pt: does not fit net.py:build: 2 missing: norm.weight, norm.bias; 1 unexpected: extra; 2 of another shape: "
        "fc.weight is (7, 72) and should be (5, 72), fc.bias is (7,) and should be (5,); give the function that built "
        "the network of these weights"
    )


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    assert refusal(nn.LSTM(8, 16).state_dict(), tmp_path) == (
        "w.pt: does not fit net.py:build: 8 missing: conv.weight, conv.bias, norm.weight and 5 more; 4 unexpected: "
        "weight_ih_l0, weight_hh_l0, bias_ih_l0 and 1 more; give the function that built the network of these weights"
    )


UNUSABLE: dict[str, tuple[object, str]] = {
    "a list": ([1, 2], "holds a list and no state dict"),
    "numbers": (
        {"accuracy": 0.9},
        "holds the keys accuracy and no state dict, not under state_dict, model_state_dict, ",
    ),
    "a student": ({"header": "{}", "weights": {}}, "is a student, which is a network with its weights; give teacher="),
    "objects": (
        {"state_dict": dict(STATE), "hyper_parameters": Namespace(width=3)},
        "holds objects of argparse.Namespace beside its weights, and objects of a file are not made; where you trust "
        "it, write its weights alone: torch.save(torch.load(FILE, weights_only=False)['state_dict'], 'w.pt')",
    ),
    "a network": (
        network(),
        "holds an object of class torch.nn.modules.container.Sequential in a pickle, as torch.save(",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_holds_no_state_dict(name: str, tmp_path: Path) -> None:
    content, message = UNUSABLE[name]
    assert refusal(content, tmp_path).startswith(f"w.pt: {message}")


def test_the_pickle_of_old_versions_of_torch_is_told_too(tmp_path: Path) -> None:
    for content, message in ((dict(STATE), ""), (network(), "holds an object of class torch.nn.modules.container.Seq")):
        torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        if not message:
            assert load_weights(network(), read_weights(tmp_path / "old.pth"), "net") == ()
            continue
        with pytest.raises(InputError, match=message):
            read_weights(tmp_path / "old.pth")


class Trap:
    """What a pickle that runs code would make."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, ("import sys; sys.modules['sprung'] = sys",)


@pytest.mark.parametrize("wrap", [lambda trap: trap, lambda trap: {"state_dict": dict(STATE), "x": trap}])
def test_nothing_in_a_file_is_executed(wrap: Callable[[object], object], tmp_path: Path) -> None:
    torch.save(wrap(Trap()), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"code that a file names is not run|objects of a file are not made"):
        read_weights(tmp_path / "w.pt")
    assert "sprung" not in sys.modules


CONTENTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (
        lambda path: path,
        "there is no such file; expected a state dict, as torch.save(network.state_dict(), ",
    ),
    "empty": (lambda path: path.write_bytes(b""), "is no state dict, or is cut short; write one by torch.save("),
    "text": (lambda path: path.write_text("<html>not found</html>"), "is no state dict, or is cut short; write one by"),
    "plain pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "is no state dict, or is cut short"),
    "hdf5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"0" * 50), "is a Keras model or another HDF5 file"),
    "script": (
        lambda path: torch.jit.script(nn.Linear(2, 3)).save(str(path)),
        "is a program (TorchScript, or torch.exp",
    ),
    "cut": (
        lambda path: (torch.save(dict(STATE), path), path.write_bytes(path.read_bytes()[:900])),
        "is no state dict",
    ),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # newer versions deprecate it; its files are still about
@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_something_else(name: str, tmp_path: Path) -> None:
    write, message = CONTENTS[name]
    write(tmp_path / "w.pth")
    with pytest.raises(InputError) as caught:
        read_weights(tmp_path / "w.pth")
    assert str(caught.value).startswith(f"{tmp_path / 'w.pth'}: {message}")


def test_an_onnx_model_is_a_teacher_by_itself(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    with pytest.raises(InputError) as caught:
        read_weights(tmp_path / "m.onnx")
    assert str(caught.value) == (
        f"{tmp_path / 'm.onnx'}: is an ONNX model, which is a network with its weights; give "
        f"teacher={tmp_path / 'm.onnx'} alone"
    )


def test_safetensors_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.safetensors").touch()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InputError) as caught:
        read_weights(tmp_path / "w.safetensors")
    assert str(caught.value) == (
        f"{tmp_path / 'w.safetensors'}: is read by safetensors, which is not installed; install it with "
        "`pip install 'spikewright[safetensors]'`"
    )


def test_safetensors(tmp_path: Path) -> None:
    torch_files = pytest.importorskip("safetensors.torch")
    torch_files.save_file(under("model."), tmp_path / "w.safetensors")
    found = network()
    remarks = load_weights(found, read_weights(tmp_path / "w.safetensors"), "net")
    assert remarks == ("w.safetensors: the prefix 'model.' taken off its names",)
    assert same(found)
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:200])
    with pytest.raises(InputError, match=r"w\.safetensors: is no safetensors file, or is cut short \("):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.filterwarnings("ignore")  # of Lightning, about itself
def test_a_checkpoint_that_lightning_wrote(tmp_path: Path) -> None:
    lightning = pytest.importorskip("pytorch_lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self, width: int = 3) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.model = network()
            self.model.load_state_dict(STATE)

        def training_step(self, batch: Tensor, index: int) -> Tensor:
            return self.model(batch[0]).sum()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 0.0)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(4, 1, 8, 8)), batch_size=4)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", default_root_dir=tmp_path, **quiet)
    trainer.fit(Module(), data)
    trainer.save_checkpoint(tmp_path / "m.ckpt")
    found = network()
    remarks = load_weights(found, read_weights(tmp_path / "m.ckpt"), "net")
    assert remarks[-1] == "m.ckpt: the prefix 'model.' taken off its names"
    assert torch.equal(found.state_dict()["fc.weight"], STATE["fc.weight"])


def _plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 2))


def _pruned(network: nn.Sequential) -> None:
    for layer in (network[0], network[2]):
        prune.l1_unstructured(layer, "weight", amount=0.4)


def _weight_normed(network: nn.Sequential) -> None:
    for layer in (network[0], network[2]):
        parametrizations.weight_norm(layer)


def _spectral_normed(network: nn.Sequential) -> None:
    parametrizations.spectral_norm(network[0])
    parametrizations.spectral_norm(network[2])


def _normed_by_hooks(network: nn.Sequential) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(network[0])
    nn.utils.spectral_norm(network[2])


@pytest.mark.parametrize("change", [_pruned, _weight_normed, _spectral_normed, _normed_by_hooks])
def test_weights_in_parts_are_put_together(change: Callable[[nn.Sequential], None], tmp_path: Path) -> None:
    trained, network, x = _plain(), _plain(), torch.rand(4, 1, 4, 4)
    change(trained)
    with torch.no_grad():
        trained(x)  # spectral norm looks for its vectors in training
        expected = trained.eval()(x)
    path = tmp_path / "w.pt"
    torch.save(trained.state_dict(), path)
    remarks = load_weights(network, read_weights(path), "net")
    assert "w.pt: weights that were pruned or normed are put together" in remarks
    with torch.no_grad():
        assert torch.allclose(network(x), expected, atol=1e-6)
