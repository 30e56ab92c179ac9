"""What the code around the layers may do in a forward pass: decide by what it computes, change values in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError

STEPS, BATCH = 6, 4


class Around(nn.Module):
    """Two dense layers, with code of a test around them.

    Args:
        watch: gets the step, the spikes so far of the last layer and those of the hidden layer, which it may change;
            the loop stops where it returns True.
        enter, leave: what is done to the samples and to the list of the last layer's spikes.
    """

    def __init__(
        self,
        watch: Callable[[int, list[Tensor], Tensor], Any] = lambda step, spikes, hidden: None,
        enter: Callable[[Tensor], Tensor] = lambda x: x,
        leave: Callable[[list[Tensor]], Tensor] = torch.stack,
    ) -> None:
        torch.manual_seed(0)
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(20, 30), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(30, 3), snn.Leaky(beta=0.8)
        self.watch, self.enter, self.leave = watch, enter, leave
        with torch.no_grad():
            self.fc1.weight *= 4
            self.fc2.weight *= 4

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, spikes = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        x = self.enter(x)
        for step in range(STEPS):
            hidden, mem1 = self.lif1(self.fc1(x), mem1)
            stops = self.watch(step, spikes, hidden)
            spk, mem2 = self.lif2(self.fc2(hidden), mem2)
            spikes.append(spk)
            if stops is True:
                break
        return self.leave(spikes)


def samples() -> Tensor:
    torch.manual_seed(1)
    return torch.rand(BATCH, 20)


def branch(step: int, spikes: list[Tensor], hidden: Tensor) -> None:
    if hidden.sum() > 0:
        hidden.mul_(1.0)


def branch_by_number(step: int, spikes: list[Tensor], hidden: Tensor) -> None:
    if hidden.sum().item() > 1e6:
        hidden.mul_(0.0)


def stop(step: int, spikes: list[Tensor], hidden: Tensor) -> bool:
    return bool(step > 2 and torch.stack(spikes).sum() > 0)


def repeat(step: int, spikes: list[Tensor], hidden: Tensor) -> None:
    while hidden.max() > 1:
        hidden.mul_(0.5)


def written_down(step: int, spikes: list[Tensor], hidden: Tensor) -> None:
    hidden.detach().numpy()


@pytest.mark.parametrize(
    ("watch", "said", "line"),
    [
        (branch, "decides by values that depend on the sample", "if hidden.sum() > 0:"),
        (branch_by_number, "takes numbers for Python's use out of values", "if hidden.sum().item() > 1e6:"),
        (stop, "decides by values that depend on the sample", "return bool(step > 2 and"),
        (repeat, "decides by values that depend on the sample", "while hidden.max() > 1:"),
        (written_down, "takes numbers for Python's use out of values", "hidden.detach().numpy()"),
    ],
)
def test_code_that_decides_by_what_it_computes_is_refused_with_its_line(watch: Any, said: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        sw.Student.from_module(Around(watch), samples())
    told = str(caught.value)
    assert said in told and f"of {__file__}: `{line}" in told and "put it behind `if self.training:`" in told


def test_a_loop_around_the_network_is_searched_too() -> None:
    class OneStep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(20, 3), snn.Leaky(beta=0.9, init_hidden=True)

        def forward(self, x: Tensor) -> Tensor:
            current = self.fc(x)
            return self.lif(current if float(self.lif.mem.sum()) < 1e6 else -current)

    with pytest.raises(InputError, match="takes numbers for Python's use out of values that depend on the sample"):
        sw.Student.from_module(OneStep(), samples(), timesteps=STEPS)


def checked(x: Tensor) -> Tensor:
    assert x.max() <= 1
    return x


def shown(step: int, spikes: list[Tensor], hidden: Tensor) -> None:
    str(hidden)
    f"{hidden.sum()}"


def by_shapes(step: int, spikes: list[Tensor], hidden: Tensor) -> None:
    assert hidden.dim() == 2 and len(hidden) > 0
    if torch.arange(3).sum() == 3 and hidden.shape[1] == 30:
        hidden.detach()


@pytest.mark.parametrize("around", [{"enter": checked}, {"watch": shown}, {"watch": by_shapes}])
def test_assertions_texts_and_shapes_decide_nothing(around: dict[str, Any]) -> None:
    student = sw.Student.from_module(Around(**around), samples())
    assert student.origin is not None and student.origin.proof is not None and student.origin.proof.fired > 100


def summed(spikes: list[Tensor]) -> Tensor:
    total = spikes[0]
    for each in spikes[1:]:
        total += each
    return total


def averaged(spikes: list[Tensor]) -> Tensor:
    total = spikes[0]
    for each in spikes[1:]:
        total.add_(each)
    return total.div_(len(spikes))


@pytest.mark.parametrize("leave", [summed, averaged])
def test_spikes_that_are_summed_in_place_are_those_of_each_step(leave: Any) -> None:
    x = samples()
    student = sw.Student.from_module(Around(leave=leave), x)
    counts = student.run(x.reshape(1, BATCH, 20, 1, 1)).scores
    assert torch.equal(counts, Around()(x).sum(0)) and counts.max() > 1


def test_an_input_that_is_changed_in_place_is_no_input_as_it_is() -> None:
    def centred(x: Tensor) -> Tensor:
        x -= 0.5
        return x

    given = samples()
    before = given.clone()
    with pytest.raises(InputError, match="computes sub_ of its input before the first layer"):
        sw.Student.from_module(Around(enter=centred), given)
    assert torch.equal(given, before)


def test_attributes_of_tensors_pass_values_on() -> None:
    network = Around(enter=lambda x: x.data, leave=lambda spikes: torch.stack([each.data for each in spikes]))
    student = sw.Student.from_module(network, samples())
    assert student.origin is not None and student.origin.proof is not None and student.origin.proof.fired > 100


class Behind(Around):
    """Layers behind the loop, once for all steps.

    Args:
        gather: what is made of the last spikes, stacked, before the layers.
    """

    def __init__(self, gather: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.gather = gather
        self.layers = nn.Sequential(*(layers or (nn.Linear(3, STEPS),)))  # as many outputs as steps

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.gather(super().forward(x)))


def folded(spikes: Tensor) -> Tensor:
    total = torch.zeros(1)
    for each in spikes:
        total = total + each
    return total


@pytest.mark.parametrize(
    ("gather", "layers", "factor"),
    [
        (lambda spikes: spikes.mean(0), (), STEPS),
        (lambda spikes: spikes.sum(0), (), STEPS),
        (lambda spikes: spikes.sum(dim=0) / 2, (), STEPS),
        (lambda spikes: spikes.transpose(0, 1).mean(1), (), STEPS),
        (lambda spikes: torch.stack(list(spikes), 1).mean(1), (), STEPS),
        (folded, (), STEPS),
        (sum, (), STEPS),
        (lambda spikes: spikes.mean(0), (nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 4)), STEPS),
        (lambda spikes: spikes[-1], (), 1),
    ],
)
def test_layers_behind_a_sum_or_mean_over_time_become_an_integrating_readout(
    gather: Any, layers: tuple[nn.Module, ...], factor: int
) -> None:
    network, x = Behind(gather, *layers), samples()
    student = sw.Student.from_module(network, x)
    assert student.config.readout == "membrane"
    scores = student.run(x.reshape(1, BATCH, 20, 1, 1)).scores
    assert torch.allclose(scores, factor * network.eval()(x), atol=1e-4)
    assert float(scores.std()) > 0.1
    sw.to_nir(student)


@pytest.mark.parametrize(
    ("gather", "said"),
    [
        (lambda spikes: spikes[2:].mean(0), "takes spikes of 'lif2' of step 1 in step 0"),
        (lambda spikes: spikes.max(0)[0], "takes spikes of 'lif2' of step 1 in step 0"),
        (lambda spikes: (spikes * torch.arange(STEPS).reshape(-1, 1, 1)).sum(0), "multiplies values with one another"),
        (lambda spikes: spikes.mean(0).relu(), "relu: is a relu; neurons are the only non-linearity"),
    ],
)
def test_what_is_no_sum_over_all_steps_is_refused(gather: Any, said: str) -> None:
    with pytest.raises(InputError, match="Behind: ") as caught:
        sw.Student.from_module(Behind(gather), samples())
    assert said in str(caught.value) and "different ways" not in str(caught.value)


def test_the_readout_of_the_last_layer_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikewright.importing import building

    monkeypatch.setattr(building.Builder, "_weighed", lambda *_: pytest.fail("no gain is left over"))
    network, x = Behind(lambda spikes: spikes.sum(0)), samples()
    sw.Student.from_module(network, x)
    monkeypatch.setattr(building, "layer_of", lambda node, real=building.layer_of: _without_bias(real(node)))
    with pytest.raises(
        AnswerIsNo, match=rf"layers\.0, step {STEPS - 1}, neuron \d of sample \d: its membrane potential"
    ):
        sw.Student.from_module(network, x)


def _without_bias(layer: Any) -> Any:
    """A layer to six outputs whose bias is lost."""
    if layer.weights.get("bias") is not None and len(layer.weights["bias"]) == STEPS:
        layer.weights["bias"].zero_()
    return layer
