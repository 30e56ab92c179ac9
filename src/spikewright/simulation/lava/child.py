"""The process that runs Lava: reads a job's folder, runs the network, leaves the recordings in the folder."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
import traceback
from multiprocessing.connection import wait
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from ...base.types import IntArray
from ...chip.network import ChipNetwork, Schedule
from ...exchange.lava_values import lava_order
from .files import PROGRESS, read, recorded
from .nameless import KILLED, share_without_names
from .network import LavaNetwork, events
from .processes.recorders import SpikeRecorder, StateRecorder, VariableSetter

BUILDERS = {"lava": f"{__package__}.network:build", "netx": "spikewright.simulation.netx:build"}
"""What makes the processes of each kind; lava-dl's loads torch, and Lava's does not."""
POLL_S = 0.5
FAILED = 70
"""Exit code of a child one of whose processes failed (sysexits' EX_SOFTWARE)."""


def main() -> None:
    """Run the job in the folder ``argv[1]``; a failure ends this process at once, which else waits for ever."""
    try:
        share_without_names()
        _run(Path(sys.argv[1]))
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(FAILED)


def _run(folder: Path) -> None:
    chip, drive, kind, record_states = read(folder)
    schedule = Schedule.of(chip, drive.shape[1])
    network = resolve_name(BUILDERS[kind])(chip, drive, schedule, folder)
    _record(chip, schedule, network, folder, ("u", "v") if record_states else ())
    session = Session(network.neurons[chip.output.name])
    driven = network.neurons.get(chip.input.name)
    if driven is not None:
        _drive(driven.bias_mant, events(chip, drive, schedule), folder)
    for _ in range(schedule.samples):
        if chip.is_recurrent:
            _from_rest(session, chip, network)
        else:
            session.steps(schedule.timesteps)
        print(f"{PROGRESS}1", flush=True)
    if not chip.is_recurrent:
        session.steps(schedule.deepest)
    session.stop()


def _record(chip: ChipNetwork, schedule: Schedule, network: LavaNetwork, folder: Path, states: tuple[str, ...]) -> None:
    """Attach recorders: spikes, the named states, and the readout's membrane potentials at each sample's end."""
    for index, population in enumerate(chip.populations):
        if population.neuron is None:
            continue
        neuron, port = network.neurons[population.name], network.ports[population.name]
        shape = (schedule.chip_steps, *neuron.v.shape)
        path = _file(recorded(folder, "spikes", index), shape, np.uint8)
        port.connect(SpikeRecorder(shape=port.shape, path=path).a_in)
        for what in states:
            path = _file(recorded(folder, what, index), shape, np.int32)
            StateRecorder(variable=getattr(neuron, what), path=path, interval=1, first=1)
        if population.role == "readout" and chip.readout == "membrane":
            path = _file(recorded(folder, "last", index), (schedule.samples, *neuron.v.shape), np.int32)
            first = chip.depth[population.name] + schedule.timesteps
            StateRecorder(variable=neuron.v, path=path, interval=schedule.stride, first=first)


def _drive(biases: Any, stream: IntArray, folder: Path) -> None:
    """Set the biases of the input's neurons for each chip step, ``stream`` of shape ``(*lava shape, chip steps)``."""
    stream = stream.reshape(*biases.shape, -1)  # lava-dl's layers in a row may have two more axes
    path = folder / "biases.npy"
    np.save(path, np.moveaxis(stream, -1, 0))
    biases.init = stream[..., 0]
    VariableSetter(variable=biases, path=str(path))


def _file(path: Path, shape: tuple[int, ...], dtype: type[np.integer[Any]]) -> str:
    np.save(path, np.zeros(shape, dtype=dtype))
    return str(path)


class Session:
    """A network under way: variables may be assigned between its steps."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self._over, self._ended = multiprocessing.Pipe(duplex=False)
        self._watch: threading.Thread | None = None

    def assign(self, variable: Any, values: IntArray) -> None:
        """Give a variable new values, before the first step or between two."""
        if self.process.runtime is None:
            variable.init = values
        else:
            variable.set(values)

    def steps(self, count: int) -> None:
        """Advance the whole network by a number of timesteps."""
        from lava.magma.core.run_conditions import RunSteps
        from lava.magma.core.run_configs import Loihi2SimCfg

        if self.process.runtime is None:
            self.process.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
            self._watch = threading.Thread(target=self._end_on_failure, daemon=True)
            self._watch.start()
        if not count:
            return
        try:
            self.process.run(condition=RunSteps(num_steps=count))
        except RuntimeError as error:
            raise RuntimeError("\n".join(["a process of Lava's failed", *self._failures()])) from error

    def stop(self) -> None:
        """End Lava's processes.

        The watch ends first: Lava reads the same pipes when it joins its processes, and two readers of one message
        leave one of them waiting for ever.
        """
        self._ended.send(None)
        if self._watch is not None:
            self._watch.join()
        self.process.stop()

    def _end_on_failure(self) -> None:
        """End this process when one of Lava's has failed or was killed, which Lava itself may wait for ever to notice.

        None of Lava's ends before the network is stopped, unless it has failed.
        """
        sentinels = [actor.sentinel for actor in self._actors()]
        while True:
            ended = wait([self._over, *sentinels], timeout=POLL_S)
            if self._over in ended:
                return
            failures = self._failures()
            if ended and not failures:  # what it has to say may be on its way
                time.sleep(POLL_S)
                failures = self._failures() or [KILLED]
            if failures:
                print(*failures, sep="\n", file=sys.stderr, flush=True)
                os._exit(FAILED)

    def _failures(self) -> list[str]:
        """Tracebacks of the processes that have failed, which Lava keeps to itself."""
        return [actor.exception[1] for actor in self._actors() if actor.exception]

    def _actors(self) -> list[Any]:
        actors: list[Any] = self.process.runtime._messaging_infrastructure.actors
        return actors


def _from_rest(session: Session, chip: ChipNetwork, network: LavaNetwork) -> None:
    """Run one sample of a recurrent network: empty it, then wake the biases of each depth when its step has come.

    The biases that drive the input are 0 from the sample's end to the next one's beginning.
    """
    biased = {
        p.name: p.neuron.bias
        for p in chip.populations
        if p.neuron is not None and p.role != "input" and p.neuron.bias.any()
    }
    states = [variable for neuron in network.neurons.values() for variable in (neuron.u, neuron.v)]
    for variable in (*states, *network.in_flight, *(network.neurons[name].bias_mant for name in biased)):
        session.assign(variable, np.zeros(variable.shape, dtype=np.int64))
    deepest = max(chip.depth.values())
    for depth in range(deepest + 1):
        for name in [name for name in biased if chip.depth[name] == depth]:
            session.assign(network.neurons[name].bias_mant, lava_order(biased[name]))
        session.steps(1 if depth < deepest else chip.timesteps)
