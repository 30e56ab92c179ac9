"""Lava processes that write what they see to a file, step by step, and one that sets a variable from a file.

Lava's own sinks and monitors hand their data back one number per message, which takes longer than the simulation.
The recorders listen in the same way, a sink at a spike port and a reader of a variable after each step, and change
nothing in the network. Only the child process that runs Lava imports this module.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class SpikeRecorder(AbstractProcess):  # type: ignore[misc]
    """Writes the spikes of every step into an ``.npy`` file of shape ``(steps, *shape)`` that exists already."""

    def __init__(self, *, shape: tuple[int, ...], path: str) -> None:
        super().__init__(shape=shape, path=path)
        self.a_in = InPort(shape=shape)


@implements(proc=SpikeRecorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeRecorder(PyLoihiProcessModel):  # type: ignore[misc]
    """Model of :class:`SpikeRecorder`."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.file = np.load(proc_params["path"], mmap_mode="r+")

    def run_spk(self) -> None:
        """Receive one step."""
        self.file[self.time_step - 1] = self.a_in.recv()


class StateRecorder(AbstractProcess):  # type: ignore[misc]
    """Writes a variable after every ``interval``-th step, beginning with step ``first`` counted from 1, into a file."""

    def __init__(self, *, variable: Var, path: str, interval: int, first: int) -> None:
        super().__init__(path=path, interval=interval, first=first)
        self.state = RefPort(variable.shape)
        self.state.connect_var(variable)


@implements(proc=StateRecorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyStateRecorder(PyLoihiProcessModel):  # type: ignore[misc]
    """Model of :class:`StateRecorder`."""

    state: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.file = np.load(proc_params["path"], mmap_mode="r+")
        self.interval: int = proc_params["interval"]
        self.first: int = proc_params["first"]

    def post_guard(self) -> bool:
        """Whether this step is one of those to be read."""
        since: int = self.time_step - self.first
        return since >= 0 and since % self.interval == 0

    def run_post_mgmt(self) -> None:
        """Read after the step, when the reset has been made."""
        row = (self.time_step - self.first) // self.interval
        if row < len(self.file):
            self.file[row] = self.state.read()


class VariableSetter(AbstractProcess):  # type: ignore[misc]
    """Gives a variable a new value before every step but the first: row ``t`` of a file before step ``t``, from 0.

    A host that sets input currents does the same. The first value is the variable's initial one.
    """

    def __init__(self, *, variable: Var, path: str) -> None:
        super().__init__(path=path)
        self.target = RefPort(variable.shape)
        self.target.connect_var(variable)


@implements(proc=VariableSetter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyVariableSetter(PyLoihiProcessModel):  # type: ignore[misc]
    """Model of :class:`VariableSetter`."""

    target: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.file = np.load(proc_params["path"], mmap_mode="r")

    def post_guard(self) -> bool:
        """Whether a step follows for which there is a value."""
        following: bool = self.time_step < len(self.file)
        return following

    def run_post_mgmt(self) -> None:
        """Set the value of the step that follows; steps are counted from 1."""
        self.target.write(self.file[self.time_step])
        self.target.wait()
