"""The spiking student: torch layers and snnTorch neurons, a time horizon, an encoding and a readout."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..base.artefacts import atomic_write, existing_file
from ..base.errors import InputError
from ..base.types import Readout
from ..chip.activity import Backend
from ..chip.encoding import encode, full_scale
from ..chip.trained_grid import TrainedGrid
from ..data.choices import NeuronSettings
from .architectures import builder_of, is_own
from .config import StudentConfig
from .integers.compartments import IntegerStates
from .integers.folding import fold_norms
from .integers.plan import plan_of
from .integers.walk import IntegerWalk
from .neurons import NeuronTrace, is_integrator, is_neuron, run_over_time, spiking
from .on_student import OnStudent
from .student_output import StudentOutput, output_of
from .tracing import trace, walk

FORMAT = "spikewright-student"
FORMAT_VERSION = 1


def _encoder(timesteps: int) -> nn.Module:
    """Input neurons that a current drives and that sum it without leak.

    An intensity x spikes about T x times. Not even 1 exceeds a threshold of 1 in a single step, so there it is half.
    """
    return spiking(NeuronSettings(beta=1.0, threshold=1.0 if timesteps > 1 else 0.5, learn_threshold=True))


class Student(nn.Module):
    """A network of torch layers and snnTorch neurons that knows its T, its encoding and its readout, but no chip.

    Attributes:
        grid: widths and scales of the integers that its forward pass computes with; None for a student in floats.
    """

    def __init__(
        self, config: StudentConfig, network: nn.Module | None = None, grid: TrainedGrid | None = None
    ) -> None:
        """Build the named architecture, or take ``network``: any module made of layers, ``+``, flatten and neurons."""
        super().__init__()
        self.config = config
        self.encoder = _encoder(config.timesteps) if config.encoding == "current" else None
        if network is None:
            build = builder_of(config.architecture)
            network = build(config.input_shape, config.classes, config.width, config.neuron, config.readout)
        if grid is not None:
            fold_norms(network)
        self.network = network
        self.grid: TrainedGrid | None = None
        self._graph = [trace(network)]  # in a list: the traced twin shares the weights and is no second submodule
        if (config.readout == "membrane") != is_integrator(self.readout):
            raise InputError(
                f"the readout is {config.readout!r} but the network's last neuron "
                f"{'integrates' if is_integrator(self.readout) else 'fires'}; a membrane readout is "
                'snn.Leaky(reset_mechanism="none"), a count readout a neuron that fires'
            )
        if grid is not None:
            self.take_grid(grid)

    @property
    def graph(self) -> fx.Graph:
        """The network as traced: torch's layers and snnTorch's neurons as nodes."""
        return self._graph[0].graph

    @property
    def readout(self) -> nn.Module:
        """The network's last neuron layer."""
        last = next(node for node in reversed(self._graph[0].graph.nodes) if node.op == "call_module")
        module: nn.Module = self._graph[0].get_submodule(str(last.target))
        return module

    def neuron(self, name: str) -> nn.Module:
        """The neuron layer of this name, the encoder included."""
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
        """By spiking layer in order, the encoder left out: what one step of one sample looks like."""
        was_training, device = self.training, self.device
        with torch.no_grad():
            output = self.eval().run(torch.zeros(1, 1, *self.config.input_shape, device=device))
        self.train(was_training)
        return {name: tuple(spikes.shape[2:]) for name, spikes in output.spikes.items() if name != "encoder"}

    def drive(self, images: Tensor, seed: int = 0, first_index: int = 0, timesteps: int | None = None) -> Tensor:
        """Encode samples exactly as the chip is driven, scaled back to [0, 1]: ``(1 or T, B, *input shape)``."""
        config = self.config
        samples = images.detach().cpu().numpy()
        steps = timesteps or config.timesteps
        codes = encode(config.encoding, samples, steps, config.input_bits, seed, first_index)
        dtype = images.dtype if images.is_floating_point() else torch.float32  # frames of events come as bytes
        return torch.from_numpy(codes).to(images.device, dtype) / full_scale(config.encoding, config.input_bits)

    def forward(self, images: Tensor, seed: int = 0, first_index: int = 0) -> StudentOutput:
        """Run samples ``(B, *input shape)`` with intensities in [0, 1], or frames ``(B, T, ...)``, over all T steps."""
        return self.run(self.drive(images, seed, first_index))

    @property
    def backend_name(self) -> Backend:
        """``student`` for one that computes on integers, else ``float``: what an activity says it was counted on."""
        return "float" if self.grid is None else "student"

    @property
    def as_backend(self) -> OnStudent:
        """The student as a simulator of the chip network that it becomes."""
        return OnStudent(self)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.network.parameters()).device

    @property
    def input_unit(self) -> float:
        """What an integer 1 of the first layer's input is worth."""
        config = self.config
        return 1.0 / full_scale(config.encoding, config.input_bits) if config.encoding == "direct" else 1.0

    def at(self, timesteps: int) -> Student:
        """The same student, sharing its weights, over another number of steps."""
        other = Student(replace(self.config, timesteps=timesteps), self.network)
        other.encoder = self.encoder
        if self.grid is not None:
            other.take_grid(self.grid)
        return other.train(self.training)

    def take_grid(self, grid: TrainedGrid) -> None:
        """Compute on integers from now on; batch norms must have been folded.

        Raises:
            InputError: every place where the integers of the chip could not be the student's, at once.
        """
        self._plan = plan_of(self._graph[0], self.input_unit)
        self.grid = grid

    def run(self, drive: Tensor, timesteps: int | None = None) -> StudentOutput:
        """Run an encoded drive ``(1 or T, B, *input shape)``, over other than its own number of steps where asked."""
        steps = timesteps or self.config.timesteps
        if self.grid is not None:
            through = self._on_integers(self.grid, drive, steps)
            return output_of(drive, through.traces, steps, through.active)
        traces: dict[str, NeuronTrace] = {}
        entering = drive
        if self.encoder is not None:
            encoded = run_over_time("encoder", self.encoder, drive, steps)
            traces["encoder"] = encoded
            assert encoded.spikes is not None
            entering = encoded.spikes
        walk(self._graph[0], entering, steps, traces.__setitem__)
        return output_of(drive, traces, steps)

    def registers(
        self, images: Tensor, seed: int = 0, first_index: int = 0
    ) -> tuple[dict[str, IntegerStates], dict[str, Tensor]]:
        """The registers of every layer after every step, and the spikes, of a student on integers.

        Raises:
            ValueError: the student computes in floats.
        """
        if self.grid is None:
            raise ValueError("this student computes in floats; it has no registers")
        with torch.no_grad():
            drive = self.drive(images, seed, first_index)
            through = self._on_integers(self.grid, drive, self.config.timesteps, record=True)
        spikes = {name: trace.spikes for name, trace in through.traces.items() if trace.spikes is not None}
        return through.states, spikes

    def _on_integers(self, grid: TrainedGrid, drive: Tensor, timesteps: int, record: bool = False) -> IntegerWalk:
        most = full_scale(self.config.encoding, self.config.input_bits)
        entering = torch.round(drive * most)
        through = IntegerWalk(self._plan, grid, timesteps, record)
        if self.encoder is not None:
            entering = through.encode("encoder", self.encoder, entering, most)
        through.run(self._graph[0], entering)
        return through


def readout_of(network: nn.Module) -> Readout:
    """How a network answers: by membrane potentials where its last neurons only integrate, by spikes where they fire.

    Raises:
        InputError: the forward pass cannot be followed.
    """
    traced = trace(network)
    last = next(node for node in reversed(traced.graph.nodes) if node.op == "call_module")
    return "membrane" if is_integrator(traced.get_submodule(str(last.target))) else "count"


def save_student(student: Student, path: Path | str, provenance: dict[str, object]) -> None:
    """Write a student and where it came from to ``path``, atomically."""
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": asdict(student.config),
        "integer": None if student.grid is None else student.grid.model_dump(mode="json"),
        "provenance": provenance,
    }
    with atomic_write(path) as temporary:
        torch.save({"header": json.dumps(header), "weights": student.state_dict()}, temporary)


def load_student(path: Path | str, network: nn.Module | str | None = None) -> Student:
    """Read a student.

    Args:
        path: of a file that :func:`save_student` wrote.
        network: for a student of an architecture of the user's own: the module, or the ``file.py:function`` that
            builds it. A ``file.py:function`` that stands in the file itself is never run.

    Raises:
        InputError: no such file, not a student, an architecture of the user's own without ``network``, or weights that
            do not fit the architecture.
    """
    header, weights = _read(path)
    config = dict(header["config"])
    config["neuron"] = NeuronSettings(**config["neuron"])
    config["input_shape"] = tuple(config["input_shape"])
    grid = header.get("integer")
    made = StudentConfig(**config)
    trained = None if grid is None else TrainedGrid.model_validate(grid)
    student = Student(made, _network_of(made, network, path), trained)
    try:
        student.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights do not fit the architecture {config['architecture']!r}: {error}"
        ) from error
    return student.eval()


def _network_of(config: StudentConfig, given: nn.Module | str | None, path: Path | str) -> nn.Module | None:
    """The caller's own network, None for a named architecture; what a file names is not run."""
    if isinstance(given, str):
        build = builder_of(given)
        return build(config.input_shape, config.classes, config.width, config.neuron, config.readout)
    if given is None and is_own(config.architecture):
        raise InputError(
            f"{path}: its network was built by {config.architecture!r}, and code that a file names is not run; where "
            "you trust it, name it yourself: --network file.py:function (in Python network=)"
        )
    return given


def student_provenance(path: Path | str) -> dict[str, object]:
    """What a student file says of its making."""
    header, _ = _read(path)
    return dict(header["provenance"])


def _read(path: Path | str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    file = existing_file(path, "a student written by `spikewright distill`")
    try:
        content = torch.load(io.BytesIO(file.read_bytes()), map_location="cpu", weights_only=True)
        header = json.loads(content["header"])
        weights = content["weights"]
    except Exception as error:  # torch.load raises whatever its unpickler meets in a foreign file
        raise InputError(
            f"{file}: is not a student file ({type(error).__name__}); make one with `spikewright distill`"
        ) from error
    if header.get("format") != FORMAT:
        raise InputError(f"{file}: its format is {header.get('format')!r}; expected {FORMAT!r}")
    if header.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{file}: its format version is {header.get('format_version')}; this version reads {FORMAT_VERSION}"
        )
    return header, weights
