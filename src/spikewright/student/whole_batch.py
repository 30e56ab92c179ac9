"""What losses take of a batch that several processes share: values of the whole batch.

Each process runs the student on its part. Behind it each value is put together where it is first asked for, so that
what no loss asks for is not sent, and every process computes the same loss of the whole batch. The gradient that comes
back to a value is whole as well; a process takes that of its own part and goes on, and gradients of weights are summed
over the processes at the end. All of them must ask for the same values in the same order, as they do in one loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .neurons import NeuronTrace, Reading, StudentOutput
from .shared import Share


class _Joined(torch.autograd.Function):
    """The values of the whole batch along the first axis; of their gradient each process takes its own part.

    Each computes the same loss of the whole, so that the gradient is whole as well, and nothing has to be sent back.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, share: Share, sent: torch.dtype) -> Tensor:
        ctx.own = share.own
        return share.group.joined(values.to(sent), share.samples).to(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients[0][ctx.own], None, None


class _Summed(torch.autograd.Function):
    """The sum over the processes, whose gradient is that of every summand."""

    @staticmethod
    def forward(_: Any, values: Tensor, share: Share) -> Tensor:
        return share.group.summed(values)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients[0], None


class _EachAlike(torch.autograd.Function):
    """What every process has, and gives the whole gradient to: of their sum, each has a share."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, share: Share) -> Tensor:
        ctx.size = share.group.size
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients[0] / ctx.size, None


def joined(values: Tensor, share: Share, axis: int = 0, sent: torch.dtype | None = None) -> Tensor:
    """The values of the whole batch, given those of the own part.

    Args:
        axis: that counts the samples.
        sent: the type in which they are sent, which has to hold them exactly; None for their own.
    """
    found: Tensor = _Joined.apply(values.movedim(axis, 0), share, sent or values.dtype)  # type: ignore[no-untyped-call]
    return found.movedim(0, axis)


class WholeTrace(NeuronTrace):
    """The trace of a layer for the whole batch; each tensor is put together when it is first asked for."""

    def __init__(self, own: NeuronTrace, share: Share) -> None:
        vars(self).update(own=own, share=share)

    own: NeuronTrace
    share: Share

    @cached_property
    def arriving(self) -> Tensor:
        return joined(self.own.arriving, self.share, 1)

    @cached_property
    def membrane(self) -> Tensor:
        return joined(self.own.membrane, self.share, 1)

    @cached_property
    def spikes(self) -> Tensor | None:
        return None if self.own.spikes is None else joined(self.own.spikes, self.share, 1, torch.uint8)

    @cached_property
    def gain(self) -> float:
        return self.own.gain

    @cached_property
    def bias(self) -> Tensor | None:
        if self.own.bias is None:
            return None
        alike: Tensor = _EachAlike.apply(self.own.bias, self.share)  # type: ignore[no-untyped-call]
        return alike


class _Lazy(Mapping[str, Any]):
    """Values by name, each made when it is first asked for."""

    def __init__(self, names: list[str], make: Callable[[str], Any]) -> None:
        self._names, self._make, self._made = names, make, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names  # and makes nothing

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class WholeBatch(StudentOutput):
    """The output of a student for the whole batch, given that for the own part."""

    def __init__(self, own: StudentOutput, share: Share) -> None:
        vars(self).update(own=own, share=share)

    own: StudentOutput
    share: Share

    @cached_property
    def _read(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, logits and logits of each timestep, sent as one."""
        scores, logits, steps = self.own.scores, self.own.logits, self.own.step_logits.transpose(0, 1)
        each = [scores.shape[1], logits.shape[1], steps[0].numel()]
        found = torch.split(joined(torch.cat([scores, logits, steps.flatten(1)], 1), self.share), each, 1)
        return found[0], found[1], found[2].reshape(-1, *steps.shape[1:]).transpose(0, 1)

    @cached_property
    def scores(self) -> Tensor:
        return self._read[0]

    @cached_property
    def logits(self) -> Tensor:
        return self._read[1]

    @cached_property
    def step_logits(self) -> Tensor:
        return self._read[2]

    @cached_property
    def spikes(self) -> Mapping[str, Tensor]:
        return _Lazy(list(self.own.spikes), lambda name: self.traces[name].spikes)

    @cached_property
    def traces(self) -> Mapping[str, NeuronTrace]:
        return _Lazy(list(self.own.traces), lambda name: WholeTrace(self.own.traces[name], self.share))

    @cached_property
    def drive(self) -> Tensor:
        return joined(self.own.drive, self.share, 1)

    @cached_property
    def active(self) -> Mapping[str, Tensor] | None:
        return self._counted(self.own.active)

    @cached_property
    def overflows(self) -> Mapping[str, Tensor] | None:
        return self._counted(self.own.overflows)

    @cached_property
    def resets(self) -> Mapping[str, Tensor] | None:
        return self._counted(self._own_resets)

    @cached_property
    def reading(self) -> Reading:
        return self.own.reading

    @property
    def timesteps(self) -> int:
        return self.own.timesteps

    @property
    def counts_spikes(self) -> bool:
        return self.own.counts_spikes

    def rates(self, layer: str) -> Tensor:
        return joined(self.own.rates(layer), self.share)

    @cached_property
    def mean_counts(self) -> dict[str, Tensor]:
        return self._means[0]

    @cached_property
    def mean_events(self) -> Tensor:
        return self._means[1]

    @cached_property
    def mean_resets(self) -> dict[str, Tensor]:
        return {name: self._mean(each.float().sum((0, 1))) for name, each in (self._own_resets or {}).items()}

    @cached_property
    def mean_active(self) -> dict[str, Tensor] | None:
        if self.own.active is None:
            return None
        means = self._mean(torch.stack([each.sum() for each in self.own.active.values()]))
        return dict(zip(self.own.active, means, strict=True))

    @cached_property
    def _means(self) -> tuple[dict[str, Tensor], Tensor]:
        """Spikes of each neuron and events of each input, sent as one."""
        own, sums = self.own, {name: each.sum(0).sum(0) for name, each in self.own.spikes.items()}
        events = own.mean_events * own.drive.shape[1]
        whole = self._mean(torch.cat([each.flatten() for each in (*sums.values(), events)]))
        *means, of_events = torch.split(whole, [each.numel() for each in (*sums.values(), events)])
        by_layer = {name: mean.reshape(sums[name].shape) for name, mean in zip(sums, means, strict=True)}
        return by_layer, of_events.reshape(events.shape)

    @cached_property
    def _own_resets(self) -> dict[str, Tensor] | None:
        """Of each integrator that was reset in some process, where it was in this one."""
        if self.own.resets is None:
            return None
        integrators = [name for name, each in self.own.traces.items() if each.spikes is None]
        there = torch.tensor([float(name in self.own.resets) for name in integrators])
        anywhere = dict(zip(integrators, self.share.group.summed(there).tolist(), strict=True))
        none = {name: torch.zeros_like(self.own.traces[name].membrane, dtype=torch.bool) for name in integrators}
        return {name: self.own.resets.get(name, none[name]) for name in integrators if anywhere[name]}

    def _mean(self, sums: Tensor) -> Tensor:
        """The mean over the samples of the whole batch, given sums over those of the own part."""
        whole: Tensor = _Summed.apply(sums, self.share)  # type: ignore[no-untyped-call]
        return whole / self.share.samples

    def _counted(self, counts: Mapping[str, Tensor] | None) -> Mapping[str, Tensor] | None:
        return None if counts is None else _Lazy(list(counts), lambda name: joined(counts[name], self.share, 1))
