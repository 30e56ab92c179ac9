"""Choosing the student's size: the largest whose spikes an energy budget allows."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..base.errors import AnswerIsNo, BelowFloor, InputError, arg
from ..base.own_code import is_own
from ..base.types import INPUT_BITS, Encoding
from ..data.dataset import Dataset
from ..energy.estimate import Floor
from ..profile.schema import HardwareProfile
from ..profile.units import Amount
from ..student.balance import balance
from ..student.config import StudentConfig
from ..student.student import Student
from .cost import SpikeCost
from .settings import StudentSpec

ENOUGH = 0.8
"""A size is chosen if the budget allows this fraction of the spikes that it sends before training: removing many spikes
costs more accuracy than fewer timesteps or channels (`docs/results.md`)."""
DENSE_WIDTHS = (256, 192, 128, 96, 64, 32)
CONV_WIDTHS = (24, 16, 12, 8, 6, 4)
"""From the second on, if the input differs between timesteps, since its first layer is then computed in each."""
SAMPLES = 500
TRIAL = 128
"""Samples on which the spikes of an untrained student are counted; its batch norms keep the rates near later ones."""


@dataclass(frozen=True)
class Size:
    """A student before training, its cost model and its energy floor."""

    student: Student
    cost: SpikeCost
    floor: Floor

    def paid(self, budget: Amount, images: Tensor) -> float:
        """The fraction of the energy of its spikes that a budget allows; at most 0 if the floor is above the budget.

        It is 0 for a network whose input sends no spikes, which costs nothing and computes nothing.
        """
        kept = {name: tensor.clone() for name, tensor in self.student.state_dict().items()}
        with torch.no_grad():
            output = self.student.train()(images)
        self.student.load_state_dict(kept)
        if "encoder" in output.spikes and not output.spikes["encoder"].any():
            return 0.0
        untrained = float(self.cost.read(output).total)
        return (budget.value - self.floor.total) / max(untrained - self.floor.total, 1e-30)


def choose_size(
    student: StudentSpec, dataset: Dataset, profile: HardwareProfile, budget: Amount | None, seed: int = 0
) -> Size:
    """The student to train.

    A width or T that is given is used. Otherwise widths are tried from the widest, and for each of them the timesteps
    from the profile's default downwards, until the budget allows enough of the spikes; if it never does, the size is
    chosen of which it allows most. With rate and latency input, fewer than half of the timesteps are tried last. A size
    that the chip cannot hold is passed over.

    The T of event data is the number of frames of its samples.

    Args:
        seed: of the initial weights.

    Raises:
        BelowFloor: the budget is below the floor of the smallest size, which the message gives.
        AnswerIsNo: the chip holds no size; the message is that of the smallest.
    """
    images = torch.from_numpy(dataset.train.samples[: dataset.train.at_once(TRIAL)])
    best: tuple[float, Size] | None = None
    may_be_too_low = budget is not None
    for config in candidates(student, dataset, profile, budget):
        try:
            size = size_of(config, dataset, profile, seed)
        except AnswerIsNo:
            continue
        if budget is not None and may_be_too_low and size.floor.total >= budget.value:
            _refuse_below_floor(student, dataset, profile, budget, seed)
            may_be_too_low = False
        share = ENOUGH if budget is None else size.paid(budget, images)
        if share >= ENOUGH:
            return size
        if share > 0 and (best is None or share > best[0]):
            best = share, size
    if best is None:
        smallest = smallest_size(student, dataset, profile, seed)
        if budget is None:
            return smallest
        raise BelowFloor(smallest.floor.sentence(budget, profile.name))
    return best[1]


def _refuse_below_floor(
    student: StudentSpec, dataset: Dataset, profile: HardwareProfile, budget: Amount, seed: int
) -> None:
    """Refuse a budget that no size is small enough for, before the other sizes are tried.

    Raises:
        BelowFloor: the budget is below the floor of the smallest size.
    """
    try:
        with torch.random.fork_rng(devices=[]):  # a student's training draws from what its size left
            floor = smallest_size(student, dataset, profile, seed).floor
    except AnswerIsNo:  # the chip cannot hold the smallest, and may hold others
        return
    if floor.total >= budget.value:
        raise BelowFloor(floor.sentence(budget, profile.name))


def candidates(
    student: StudentSpec, dataset: Dataset, profile: HardwareProfile, budget: Amount | None
) -> list[StudentConfig]:
    """The sizes of a student in the order in which they are tried; without a budget, all with the longest T."""
    encoding = encoding_of(student, dataset, profile)
    asked = dataset.timesteps or student.timesteps
    longest = asked or profile.default_timesteps
    widths = (student.width,) if student.width else _widths(architecture_of(student, dataset), encoding)
    sizes = _order(widths, longest, encoding, is_fixed=asked is not None or budget is None)
    return [student_config(student, dataset, encoding, width, timesteps) for width, timesteps in sizes]


def larger(
    now: StudentConfig, student: StudentSpec, dataset: Dataset, profile: HardwareProfile, budget: Amount
) -> list[tuple[int, int]]:
    """The next larger sizes of a student whose size was chosen, width and T: a timestep more, and the next width.

    Those whose floor is above the budget, and those that the chip cannot hold, are left out.
    """
    every = candidates(student, dataset, profile, budget)
    steps = [c for c in every if c.width == now.width and c.timesteps == now.timesteps + 1]
    wider = [c for c in every if c.timesteps == now.timesteps and c.width > now.width]
    found = []
    for config in [*steps, *sorted(wider, key=lambda c: c.width)[:1]]:
        try:
            floor = size_of(config, dataset, profile, seed=0).floor.total
        except AnswerIsNo:
            continue
        if floor < budget.value:
            found.append((config.width, config.timesteps))
    return found


def smallest_size(student: StudentSpec, dataset: Dataset, profile: HardwareProfile, seed: int = 0) -> Size:
    """The size with the lowest floor: the narrowest, with one timestep if T is not given."""
    encoding = encoding_of(student, dataset, profile)
    width = student.width or _widths(architecture_of(student, dataset), encoding)[-1]
    config = student_config(student, dataset, encoding, width, dataset.timesteps or student.timesteps or 1)
    return size_of(config, dataset, profile, seed)


def size_of(
    config: StudentConfig,
    dataset: Dataset,
    profile: HardwareProfile,
    seed: int,
    network: nn.Module | None = None,
    encoder: nn.Module | None = None,
) -> Size:
    """A student before training, with its cost model and its floor.

    Args:
        seed: of the initial weights.
        network: in place of the architecture that ``config`` names; it is copied.
        encoder: trained neurons of the input; they are copied, and None leaves them new.

    Raises:
        InputError: a network of the user's own that does not take the samples, or has other outputs than the data need.
    """
    torch.manual_seed(seed)
    student = Student(config, copy.deepcopy(network))
    if config.norm == "none" and network is None:
        balance(student, torch.from_numpy(dataset.train.samples[: dataset.train.at_once(TRIAL)]))
    if encoder is not None and student.encoder is not None:
        student.encoder = copy.deepcopy(encoder)
    if network is not None or is_own(config.architecture):
        called = arg("student") if network is not None else arg("architecture", config.architecture)
        require_outputs(student, dataset, called)
    cost = SpikeCost.of(student, profile)
    drive = student.drive(torch.from_numpy(dataset.train.samples[: dataset.train.at_once(SAMPLES)]))
    return Size(student, cost, cost.floor(drive))


@torch.no_grad()
def require_outputs(student: Student, dataset: Dataset, called: str) -> None:
    """Refuse a network that does not take the samples of a data set, or has not as many outputs as it needs.

    Args:
        called: the network, in messages.

    Raises:
        InputError: what does not fit, and what to do.
    """
    config, training = student.config, student.training
    plain = Student(replace(config, output=replace(config.output, population=1)), student.network)
    try:
        scores = plain.eval().run(torch.zeros(1, 2, *config.input_shape), timesteps=1).scores
    except (RuntimeError, ValueError, IndexError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{called}: its network cannot be run on samples of shape {config.input_shape} ({said}); give one for the "
            f"samples of {dataset.name}"
        ) from error
    finally:
        student.train(training)
    if scores.ndim == 2 and scores.shape[1] == config.outputs:
        return
    found = f"{called}: its network has {' x '.join(map(str, scores.shape[1:]))} outputs"
    needed, size = f"{dataset.name} has {outputs_in_words(config)}", scores.shape[1:].numel()
    advice = f"give it {config.outputs}"
    if dataset.output.is_classes and config.output.population == 1 and scores.ndim == 2 and size % config.classes == 0:
        each = size // config.classes
        advice += f", or {arg('population', each)} where {each} of them, side by side, stand for each class"
    raise InputError(f"{found}, and {needed}; {advice}")


def outputs_in_words(config: StudentConfig) -> str:
    """What a network's outputs stand for, with their number."""
    if not config.output.is_classes:
        return f"{config.classes} value{'s' if config.classes > 1 else ''}"
    each = f", {config.output.population} outputs for each" if config.output.population > 1 else ""
    return f"{config.classes} classes{each}"


def student_config(
    student: StudentSpec, dataset: Dataset, encoding: Encoding, width: int, timesteps: int
) -> StudentConfig:
    """The configuration that a specification describes, with this width and T."""
    return StudentConfig(
        architecture=architecture_of(student, dataset),
        width=width,
        input_shape=dataset.shape,
        classes=dataset.classes,
        timesteps=timesteps,
        encoding=encoding,
        readout=student.readout,
        input_bits=student.input_bits or INPUT_BITS.get(encoding, 8),
        neuron=student.neuron_settings,
        input_rule=dataset.input_rule,
        output=replace(dataset.output, population=student.population),
        norm=student.norm,
    )


def architecture_of(student: StudentSpec, dataset: Dataset) -> str:
    """The architecture that is specified, else that of the data set's recipe."""
    return student.architecture or dataset.recipe.architecture


def encoding_of(student: StudentSpec, dataset: Dataset, profile: HardwareProfile) -> Encoding:
    """The encoding of the input: events for event data, else as specified, else the profile's default."""
    if dataset.is_events or student.encoding == "delta":
        return "events"
    return student.encoding or profile.default_encoding


def _order(widths: tuple[int, ...], longest: int, encoding: Encoding, is_fixed: bool) -> list[tuple[int, int]]:
    """Widths and timesteps, the preferred first."""
    steps = (longest,) if is_fixed else tuple(range(longest, 0, -1))
    first = [t for t in steps if encoding in ("direct", "current") or 2 * t >= longest]
    last = [t for t in steps if t not in first]
    return [(w, t) for w in widths for t in first] + [(w, t) for w in widths for t in last]


def _widths(architecture: str, encoding: Encoding) -> tuple[int, ...]:
    if architecture == "mlp":
        return DENSE_WIDTHS
    return CONV_WIDTHS if encoding == "direct" else CONV_WIDTHS[1:]
