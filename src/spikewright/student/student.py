"""The student: a spiking network with its number of timesteps, encoding and readout, and the file it is saved in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor, fx, nn

from ..base.errors import InputError, arg, check_type, refuse
from ..base.memory import available_bytes, in_gib
from ..base.own_code import is_own
from ..base.progress import Callback, Listeners
from ..base.shown import Shown
from ..base.torch_file import load_torch, save_torch, tensor_faults
from ..base.types import INPUT_BITS, Encoding, Readout
from ..chip.answers import Answers
from ..chip.encoding import encode, full_scale
from ..chip.law import State
from ..chip.registers import TrainedGrid
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES
from ..graph.nir_io import read_graph
from ..graph.time_step import Convention
from ..importing.assembling import Asked, Assembled
from ..importing.description import ImportedNetwork
from ..importing.examples import SPIKING, as_taken
from ..importing.refusals import in_no_step
from ..simulation.backends import Run
from .architectures import Shape, builder_of
from .backend import run_student
from .biases import busy_updates, layers_without_biases
from .config import StudentConfig
from .finite import weight_faults
from .graph_start import AskedOfGraph, read_for_student
from .header import (
    FORMAT,
    FORMAT_VERSION,
    IMPORTED,
    REMEDY,
    WHAT,
    StudentHeader,
    network_faults,
    read_header,
    size_faults,
)
from .integers.composing import fold
from .integers.plan import plan_of
from .integers.walk import IntegerWalk
from .neuron_settings import NeuronSettings
from .neurons import NeuronTrace, Reading, StudentOutput, is_integrator, is_neuron, output_of, run_over_time, spiking
from .origin import Origin, imported
from .tracing import trace, walk

LARGE_WIDTH = 4096
"""From here on it is looked at before whether a network fits into memory."""
WEIGHT_BYTES = 16
"""Of each weight in training: itself, its gradient and the two means of AdamW, in float32."""
PROVEN = 32
"""Random samples on which an imported student is compared with its network."""
LAYERS_TOLD = 14
"""Layers that the text of a student names."""


def leaves(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules of a network that hold no others, by name, in order, without those that were folded into others."""
    found = [(name, each) for name, each in network.named_modules() if not any(each.children())]
    return [(name or "network", each) for name, each in found if not isinstance(each, nn.Identity)]


class Student(Shown, nn.Module):
    """A spiking network of torch layers and snnTorch neurons with its number of timesteps T, encoding and readout.

    Attributes:
        config: architecture, shapes, T, encoding, readout and neuron settings.
        encoder: neurons that turn the input current into spikes; None unless the encoding is "current".
        network: the layers and neurons.
        grid: register widths and scales of the integer arithmetic of the forward pass; None for floating point.
        origin: the network that it was imported from, with the proof, where that was done in this process.
        composed: a sentence for each matrix that it got when it became one on integers, in this process.
    """

    origin: Origin | None = None
    composed: tuple[str, ...] = ()

    def __init__(
        self, config: StudentConfig, network: nn.Module | None = None, grid: TrainedGrid | None = None
    ) -> None:
        """Build the architecture that ``config`` names, or take ``network``.

        Args:
            network: any module made of layers, ``+``, flatten and neurons.
            grid: of a student with integer arithmetic; batch norms are folded into the layers before them.

        Raises:
            InputError: the network cannot be traced, has layers that no chip does, or its last neuron does not fit the
                readout.
        """
        super().__init__()
        self.config = config
        # Neurons without leak, which an intensity x makes spike about T x times. In a single timestep not even x = 1
        # exceeds a threshold of 1.
        encoder = NeuronSettings(beta=1.0, threshold=1.0 if config.timesteps > 1 else 0.5, learn_threshold=True)
        self.encoder = spiking(encoder) if config.encoding == "current" else None
        if network is None:
            network = _built(config.architecture, config)
        refuse("student", list(in_no_step(network)))
        if grid is not None:
            network = fold(network, config.input_shape)
        self.network = network
        self.grid: TrainedGrid | None = None
        self._graph = [trace(network)]  # in a list: the traced twin shares the weights and is no second submodule
        self._unbiased = layers_without_biases(self._graph[0])
        if (config.readout == "membrane") != is_integrator(self.readout):
            raise InputError(
                f"the readout is {config.readout!r} but the network's last neuron "
                f"{'integrates' if is_integrator(self.readout) else 'fires'}; a membrane readout is "
                'snn.Leaky(reset_mechanism="none"), a count readout a neuron that fires'
            )
        if grid is not None:
            self.take_grid(grid)

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        example: Tensor | None = None,
        timesteps: int | None = None,
        readout: Readout | None = None,
        *,
        encoding: Encoding | None = None,
        classes: int | None = None,
        input_shape: Shape | None = None,
        input_bits: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Student:
        """A trained spiking network of snnTorch, SpikingJelly, sinabs or Norse as a student with the same weights.

        The network is run on ``example`` and recorded, and the student is proven to spike as it does, on that and on
        random samples. What was assumed is told to the callbacks and stands in ``student.origin.remarks``.

        Args:
            module: the network; wrappers for training are taken off, and it is not changed.
            example: a few samples as its forward pass takes them, ``(B, ...)``, or with the timesteps as a further axis
                ``(T, B, ...)`` or ``(B, T, ...)``; None: random samples of ``input_shape`` in the form that fits.
            timesteps: T, where the loop over time is not in its forward pass.
            readout: how it answers; needed where the network leaves a choice.
            encoding: what enters in each step; needed where that changes from step to step.
            classes: fewer than the outputs of a population code.
            input_shape: ``(C, H, W)``, ``(C, L)`` or ``(F,)`` of samples, where there is no example, or the network
                takes them in one row.
            input_bits: to which values of 0 to 1 are rounded on the chip, 1 to 12 (direct and current encodings); None:
                6 for direct. Fewer leave the weights behind them more levels.
            callbacks: receive what was assumed.

        Raises:
            InputError: everything that keeps the network from being imported, each with its remedy.
            AnswerIsNo: the student does not compute what the network does.
        """
        if input_shape is not None and not (1 <= len(input_shape) <= 3 and min(input_shape) >= 1):
            raise InputError(f"{arg('input_shape', input_shape)}: must be (C, H, W), (C, L) or (F,), each at least 1")
        whole = None if input_shape is None else (*input_shape, 1, 1)[:3]
        origin = imported(module, example, Asked(timesteps, readout, encoding, whole, classes))
        made = origin.found.made
        number = made.outputs // made.population if classes is None else classes
        if number < 1 or made.outputs % number:
            raise InputError(f"{arg('classes', classes)}: the network has {made.outputs} outputs, no multiple of that")
        config = StudentConfig(
            architecture=IMPORTED,
            width=origin.found.width,
            input_shape=made.input_shape,
            classes=number,
            timesteps=origin.found.timesteps,
            encoding=made.encoding,
            readout=made.readout,
            input_bits=input_bits or INPUT_BITS.get(made.encoding, 8),
            output=replace(CLASSES, population=made.outputs // number),
            input_rule=_series_of(made, origin.found.timesteps) if made.series else None,
        )
        if config.encoding in ("direct", "current"):
            bits = f"the input is rounded to {config.input_bits} bits, as on the chip"
            made.remarks = (*made.remarks, f"{bits}, in the student and in what it is compared with")
        student = cls(config, made.network).eval()
        student.origin = origin
        images = _random_samples(config)
        origin.prove(as_taken(origin.found, images, student.drive(images)))
        listeners = Listeners(callbacks)
        for remark in origin.remarks:
            listeners.say(remark, "assumed")
        return student

    @classmethod
    def from_nir(
        cls,
        graph: nir.NIRGraph | Path | str,
        timesteps: int | None = None,
        *,
        encoding: Encoding | None = None,
        input_bits: int | None = None,
        classes: int | None = None,
        dt_s: float | None = None,
        producer: str | None = None,
        reset: str | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Student:
        """The network of a NIR graph of any tool as a student with its weights and constants, to be trained on.

        The student runs on random samples beside the reference interpreter of the graph, and their spikes are compared.
        A student on integers comes back in floats, with the weights that its graph has.

        Args:
            graph: or the path of its file.
            timesteps: T; None for what the graph's metadata say.
            encoding, input_bits: of the input; None for what the metadata say, or direct and 6
                (of other encodings 8).
            classes: fewer than the outputs of a population code.
            dt_s, producer, reset: how the graph is read, as in :func:`spikewright.lower`.
            callbacks: receive what was assumed.

        Raises:
            InputError: a graph with faults, or every node that has no counterpart in a student.
            AnswerIsNo: the student does not compute what the graph does.
        """
        if isinstance(graph, str | Path):
            graph = read_graph(graph)
        check_type("graph", graph, nir.NIRGraph, "a NIR graph, such as nir.read(path), or the path of its file")
        asked = AskedOfGraph(timesteps, encoding, input_bits, classes, Convention(dt_s, producer, reset))
        found = read_for_student(graph, asked)
        listeners = Listeners(callbacks)
        for remark in found.assumed:
            listeners.say(remark, "assumed")
        student = cls(found.config, found.made.network).eval()
        if student.encoder is not None and found.threshold is not None:
            student.encoder.threshold.data.fill_(found.threshold)
        with torch.no_grad():
            drive = student.drive(_random_samples(found.config))
            traces = student._traces(drive, found.config.timesteps)
            coded = traces["encoder"].spikes if "encoder" in traces else None
            found.prove(drive if coded is None else coded, traces)
        return student

    def __repr__(self) -> str:
        config, shape = self.config, " x ".join(map(str, self.config.input_shape))
        numbers = "floats" if self.grid is None else f"integers of {self.grid.profile}"
        layers = [f"  {name}: {' '.join(repr(layer).split())}" for name, layer in leaves(self.network)]
        more = [f"  and {len(layers) - LAYERS_TOLD} more"] if len(layers) > LAYERS_TOLD else []
        head = (
            f"Student({config.architecture}, width {config.width}, {config.encoding} input {shape}, "
            f"T = {config.timesteps}, {config.readout} readout of {config.outputs}, on {numbers})"
        )
        return "\n".join([head, *layers[:LAYERS_TOLD], *more])

    @property
    def graph(self) -> fx.Graph:
        """The traced network, whose nodes are torch's layers and snnTorch's neurons."""
        return self._graph[0].graph

    @property
    def traced(self) -> fx.GraphModule:
        """The traced network, which shares its weights and has a module for each operation."""
        return self._graph[0]

    @property
    def readout(self) -> nn.Module:
        """The network's last neuron layer."""
        return _last_layer(self._graph[0])

    def neuron(self, name: str) -> nn.Module:
        """The neuron layer called ``name``, which may be the encoder."""
        if name == "encoder" and self.encoder is not None:
            return self.encoder
        return self._graph[0].get_submodule(name)

    @property
    def spiking_layers(self) -> list[str]:
        """Names of the network's neuron layers that fire, in order."""
        modules = dict(self._graph[0].named_modules())
        neurons = (str(n.target) for n in self.graph.nodes if n.op == "call_module" and is_neuron(modules[n.target]))
        return [name for name in neurons if not is_integrator(modules[name])]

    @property
    def layer_shapes(self) -> dict[str, tuple[int, ...]]:
        """By spiking layer in order, without the encoder, the shape of one sample in one timestep."""
        was_training, device = self.training, self.device
        with torch.no_grad():
            output = self.eval().run(torch.zeros(1, 1, *self.config.input_shape, device=device))
        self.train(was_training)
        return {name: tuple(spikes.shape[2:]) for name, spikes in output.spikes.items() if name != "encoder"}

    def drive(self, images: Tensor, seed: int = 0, first_index: int = 0, timesteps: int | None = None) -> Tensor:
        """The input drive of samples, ``(1 or T, B, *input shape)``: the chip's input codes, scaled to [0, 1].

        Raises:
            InputError: samples of another shape than the input's.
        """
        config = self.config
        frames = config.encoding == "events" or config.changes_each_step
        if prod(images.shape[2 if frames else 1 :]) != prod(config.input_shape) or images.ndim < 2:
            axes = ("samples", *((timesteps or config.timesteps,) if frames else ()), *config.input_shape)
            wanted = ", ".join(map(str, axes))
            raise InputError(f"student: the samples have shape {tuple(images.shape)}; must be ({wanted})")
        samples = images.detach().cpu().numpy()
        steps = timesteps or config.timesteps
        codes = encode(
            config.encoding, samples, steps, config.input_bits, seed, first_index, by_step=config.changes_each_step
        )
        dtype = images.dtype if images.is_floating_point() else torch.float32  # frames of events come as bytes
        return torch.from_numpy(codes).to(images.device, dtype) / full_scale(config.encoding, config.input_bits)

    def forward(self, images: Tensor, seed: int = 0, first_index: int = 0) -> StudentOutput:
        """Run samples ``(B, *input shape)`` in [0, 1], or event frames ``(B, T, ...)``, over all T timesteps."""
        return self.run(self.drive(images, seed, first_index))

    def answers(self, output: StudentOutput) -> Answers:
        """What was answered in a forward pass: its scores, and the classes or values made of them."""
        return Answers(output.read_scores, output.score_unit, self.config.output)

    @property
    def unbiased_layers(self) -> frozenset[str]:
        """The layers that are active only where something arrives or is left; on integers those that registers show."""
        return self._unbiased if self.grid is None else frozenset()

    @property
    def backend_name(self) -> str:
        """The backend that its activity is counted with: ``student`` for integer arithmetic, else ``float``."""
        return "float" if self.grid is None else "student"

    @property
    def as_backend(self) -> Run:
        """The student as a simulator of the chip network that it is lowered to."""
        return partial(run_student, self)

    @property
    def device(self) -> torch.device:
        """The torch device that holds the weights."""
        return next(self.network.parameters()).device

    @property
    def input_unit(self) -> float:
        """The input in float units that corresponds to the integer 1 in the first layer's input."""
        config = self.config
        return 1.0 / full_scale(config.encoding, config.input_bits) if config.encoding == "direct" else 1.0

    def at(self, timesteps: int) -> Student:
        """The same student, sharing its weights, over another number of timesteps."""
        other = Student(replace(self.config, timesteps=timesteps), self.network)
        other.encoder = self.encoder
        if self.grid is not None:
            other.take_grid(self.grid)
        return other.train(self.training)

    def take_grid(self, grid: TrainedGrid) -> None:
        """Compute with integer arithmetic from now on; batch norms must have been folded.

        Raises:
            InputError: every place where the student's integers cannot be those of the chip.
        """
        self._plan = plan_of(self._graph[0], self.input_unit, self.config.input_shape)
        self.grid = grid

    def run(self, drive: Tensor, timesteps: int | None = None) -> StudentOutput:
        """Run an input drive ``(1 or T, B, *input shape)`` over ``timesteps``, T if that is None."""
        steps = timesteps or self.config.timesteps
        if self.grid is not None:
            through = self._on_integers(self.grid, drive, steps)
            scale = self.grid.scales[next(reversed(through.traces))]
            reading = Reading(self.config.output.population, scale)
            made = output_of(drive, through.traces, steps, through.active, reading)
            return replace(made, overflows=through.overflows, resets=through.resets)
        traces = self._traces(drive, steps)
        busy = {name: busy_updates(self.neuron(name), traces[name]) for name in self.unbiased_layers}
        active = {name: each.flatten(2).sum(2, dtype=torch.float32) for name, each in busy.items()} or None
        return output_of(drive, traces, steps, active, Reading(self.config.output.population))

    def _traces(self, drive: Tensor, timesteps: int) -> dict[str, NeuronTrace]:
        """What each layer of neurons does in floats."""
        traces: dict[str, NeuronTrace] = {}
        entering: Tensor | None = drive
        if self.encoder is not None:
            traces["encoder"] = run_over_time("encoder", self.encoder, drive, timesteps)
            entering = traces["encoder"].spikes
        assert entering is not None
        return traces | walk(self._graph[0], entering, timesteps)

    def registers(
        self, images: Tensor, seed: int = 0, first_index: int = 0
    ) -> tuple[dict[str, State], dict[str, Tensor]]:
        """The registers of every layer after every timestep, and the spikes, of a student with integer arithmetic.

        The spikes of an integrator are its resets, where a bound does not exclude them.

        Raises:
            InputError: the student computes in floating point.
        """
        if self.grid is None:
            raise InputError("student: computes in floating point and has no registers; train it for a chip's integers")
        with torch.no_grad():
            drive = self.drive(images, seed, first_index)
            through = self._on_integers(self.grid, drive, self.config.timesteps, record=True)
        spikes = {name: trace.spikes for name, trace in through.traces.items() if trace.spikes is not None}
        return through.states, spikes | through.resets

    def _on_integers(self, grid: TrainedGrid, drive: Tensor, timesteps: int, record: bool = False) -> IntegerWalk:
        most = full_scale(self.config.encoding, self.config.input_bits)
        entering = torch.round(drive * most)
        through = IntegerWalk(self._plan, grid, timesteps, record)
        if self.encoder is not None:
            entering = through.encode("encoder", self.encoder, entering, most)
        through.run(self._graph[0], entering)
        return through


def _series_of(made: Assembled, timesteps: int) -> InputRule:
    """The rule of series that a network takes step by step, as they are."""
    channels = made.input_shape[0]
    return InputRule("series", (timesteps, channels), view="steps", timesteps=timesteps)


def _random_samples(config: StudentConfig) -> Tensor:
    """Samples of 0 to 1, or frames of events, ``(B, C, H, W)`` or ``(B, T, C, H, W)``."""
    drawn = torch.Generator().manual_seed(1)
    frames = (config.timesteps,) if config.encoding == "events" or config.changes_each_step else ()
    samples = torch.rand(config.at_once(PROVEN), *frames, *config.input_shape, generator=drawn)
    return (samples < SPIKING).to(torch.uint8) if config.encoding == "events" else samples


def readout_of(network: nn.Module) -> Readout:
    """How a network answers: by membrane potentials where its last neurons only integrate, by spikes where they fire.

    Raises:
        InputError: the forward pass cannot be followed.
    """
    return "membrane" if is_integrator(_last_layer(trace(network))) else "count"


def _last_layer(traced: fx.GraphModule) -> nn.Module:
    last = next(node for node in reversed(traced.graph.nodes) if node.op == "call_module")
    return traced.get_submodule(str(last.target))


def _built(spec: str, config: StudentConfig) -> nn.Module:
    build = builder_of(spec, config.norm)

    def of_width(width: int) -> nn.Module:
        return build(config.input_shape, config.outputs, width, config.neuron, config.readout)

    if config.width > LARGE_WIDTH and not is_own(spec):
        with torch.random.fork_rng(devices=[]):
            needed = WEIGHT_BYTES * _weights_at(config.width, of_width)
        if needed > (room := available_bytes()):
            raise InputError(
                f"{arg('width', config.width)}: the weights of {spec!r} take {in_gib(needed)} in training, and there "
                f"are {in_gib(room)} of memory; choose a smaller width"
            )
    return of_width(config.width)


def _weights_at(width: int, of_width: Callable[[int], nn.Module]) -> float:
    """How many weights a network has: a polynomial of degree 2 in its width, through three small widths."""
    at = np.array([16, 32, 64])
    counts = [sum(weight.numel() for weight in of_width(int(each)).parameters()) for each in at]
    return float(np.polyval(np.polyfit(at, counts, 2), width))


def save_student(student: Student, path: Path | str, provenance: dict[str, object]) -> None:
    """Write a student and its provenance (JSON-able) to ``path``, atomically.

    Raises:
        InputError: ``student`` is none, or ``path`` cannot be written.
    """
    check_type("student", student, Student, "a Student, such as distill(...).student or load_student(path)")
    network, origin = student.network, student.origin
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": student.config.as_json(),
        "integer": None if student.grid is None else student.grid.as_json(),
        "provenance": provenance if origin is None else {"imported": origin.facts, **provenance},
    }
    if isinstance(network, ImportedNetwork):
        header["network"] = network.description.as_json()
    save_torch({"header": json.dumps(header), "weights": student.state_dict()}, path)


def load_student(path: Path | str, network: nn.Module | str | None = None) -> Student:
    """Read a student, in evaluation mode.

    Args:
        path: a file that :func:`save_student` wrote.
        network: for a student of the user's own architecture: the module, or the ``file.py:function`` that builds it.
            A ``file.py:function`` that is named in the file itself is never run.

    Raises:
        InputError: the file is missing or no student, a user's own architecture without ``network``, or weights that
            do not fit the architecture, or are NaN or infinite.
    """
    header, weights = _read(path)
    config, grid = header.config, header.integer
    if network is None and is_own(config.architecture):
        raise InputError(
            f"{path}: its network was built by {config.architecture!r}, and code that a file names is not run; where "
            f"you trust it, name it yourself: {arg('network', 'file.py:function')}"
        )
    if network is None and header.network is not None:
        network = ImportedNetwork(header.network)
    student = Student(config, _built(network, config) if isinstance(network, str) else network, grid)
    there = student.state_dict()
    refuse(
        str(path),
        [
            f"weights: {name!r} is {value.dtype}; must be {there[name].dtype}"
            for name, value in weights.items()
            if name in there and value.dtype != there[name].dtype
        ],
    )
    try:
        student.load_state_dict(weights)
    except (RuntimeError, AttributeError, LookupError) as error:  # of a layer's state, or of a number of no values
        raise InputError(f"{path}: its weights do not fit the architecture {config.architecture!r}: {error}") from error
    refuse(str(path), list(weight_faults(student)))
    return student.eval()


def student_provenance(path: Path | str) -> dict[str, object]:
    """The provenance in a student file."""
    header, _ = _read(path)
    return dict(header.provenance)


def _read(path: Path | str) -> tuple[StudentHeader, dict[str, Tensor]]:
    content = load_torch(path, WHAT, REMEDY)
    if not isinstance(content, dict) or not isinstance(content.get("header"), str):
        raise InputError(f"{path}: is not {WHAT}; {REMEDY}")
    header, weights = read_header(content["header"], str(path)), content.get("weights")
    refuse(str(path), [*tensor_faults(weights), *size_faults(header.config, weights), *network_faults(header, weights)])
    assert isinstance(weights, dict)
    return header, weights
