"""The child that runs Lava: how it is watched, how its failures are said, and what is said without Lava."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spikewright.base.child import Child
from spikewright.base.errors import InputError, SpikewrightError
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, Schedule
from spikewright.simulation import netx as on_netx
from spikewright.simulation.lava import backend as on_lava
from spikewright.simulation.lava import job as lava_job
from spikewright.simulation.lava.files import write


@pytest.fixture
def chip() -> ChipNetwork:
    neuron = Neuron(4095, 0, 131071, np.zeros(2, dtype=np.int64), fires=False)
    populations = (Population("in", (3,), "input", None), Population("out", (2,), "readout", neuron))
    connection = Connection("in", "out", np.full((2, 3), 2, dtype=np.int64))
    return ChipNetwork(populations, (connection,), 2, "rate", "membrane", "none", "")


def watch(code: str, time_limit_s: float = 20.0, prepare: Callable[[Path], object] = str) -> list[int]:
    """Have a child run ``code``; ``prepare`` is given its folder before."""
    done: list[int] = []
    with Child(code, "spikewright-test-") as child:
        prepare(child.folder)
        lava_job.watch(child, "lava", lambda steps=1: done.append(steps), time_limit_s)
    return done


def test_progress_is_passed_on_and_other_words_are_not() -> None:
    assert watch("print('hello'); print('spikewright-done 2'); print('spikewright-done 1')") == [2, 1]


def test_a_crash_carries_the_end_of_its_traceback() -> None:
    with pytest.raises(SpikewrightError) as failure:
        watch("import sys; print('noise', file=sys.stderr); raise ValueError('the axon fell off')")
    lines = str(failure.value).splitlines()
    assert lines[:2] == ["on=lava: Lava's process failed (exit code 1)", "  Traceback (most recent call last):"]
    assert '    File "<string>", line 1, in <module>' in lines
    assert lines[-1] == "  ValueError: the axon fell off"  # newer Pythons show the source line before it


def test_a_process_that_is_killed_is_said_to_be() -> None:
    with pytest.raises(SpikewrightError) as failure:
        watch("import os, sys; print('noise', file=sys.stderr, flush=True); os.kill(os.getpid(), 9)")
    assert str(failure.value) == (
        "on=lava: Lava's process was ended by SIGKILL; the system does that when memory runs out: fewer samples at "
        "once take less\n  noise"
    )
    with pytest.raises(SpikewrightError, match=r"^on=lava: Lava's process was ended by SIGSEGV$"):
        watch("import os; os.kill(os.getpid(), 11)")


def test_a_hang_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    grandchild = f"import time, pathlib\nwhile True: pathlib.Path({str(alive)!r}).touch(); time.sleep(0.05)"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(600)"
    began = time.monotonic()
    with pytest.raises(SpikewrightError) as failure:
        watch(code, time_limit_s=3)
    assert str(failure.value) == (
        "on=lava: Lava's process said nothing for 3 s and was ended; a longer limit may help a large network"
    )
    assert time.monotonic() - began < 60
    time.sleep(0.5)
    alive.unlink(missing_ok=True)
    time.sleep(0.5)
    assert not alive.exists()


@pytest.mark.parametrize(("backend", "kind", "package"), [(on_lava, "lava", "lava-nc"), (on_netx, "netx", "lava-dl")])
def test_without_lava_one_sentence_says_how_to_get_it(
    chip: ChipNetwork, backend: object, kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "lava"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lava", None)
    with pytest.raises(InputError) as refusal:
        backend.run(chip, np.zeros((1, 1, 3), dtype=np.int64))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert str(refusal.value) == (
        f"on={kind}: {package} is not installed (this is Python {version}); Lava exists for Python 3.10 only: "
        "install with `pip install 'spikewright[lava]'` there, or use on=integer, which computes the same"
    )


def test_lava_dl_resets_its_first_layer_when_events_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events take a step to the first layer, whose depth is 1; that of the second, 2, is lava-dl's own affair."""
    given: dict[str, object] = {}

    def network(**arguments: object) -> SimpleNamespace:
        given.update(arguments)
        layer = SimpleNamespace(neuron=None, out=None)
        return SimpleNamespace(inp=SimpleNamespace(shape=(3, 1, 1)), layers=[layer, layer])

    port = SimpleNamespace(reshape=lambda shape: SimpleNamespace(connect=lambda into: None))
    source = SimpleNamespace(RingBuffer=lambda data: SimpleNamespace(s_out=port))
    monkeypatch.setitem(sys.modules, "lava.lib.dl.netx", SimpleNamespace(hdf5=SimpleNamespace(Network=network)))
    monkeypatch.setitem(sys.modules, "lava.proc.io.source", source)
    hidden, out = (Neuron(4095, 0, 9, np.zeros(size, np.int64)) for size in (4, 2))
    chip = ChipNetwork(
        (Population("in", (3, 1, 1), "input", None), Population("a", (4,), "hidden", hidden),
         Population("out", (2,), "readout", out)),
        (Connection("in", "a", np.full((4, 3), 2)), Connection("a", "out", np.full((2, 4), 2))),
        5, "events", "count", "none", "",
    )  # fmt: skip
    made = on_netx.build(chip, np.zeros((5, 1, 3, 1, 1), np.int64), Schedule.of(chip, 1), tmp_path)
    assert (given["reset_interval"], given["reset_offset"], given["input_message_bits"]) == (5, 1, 0)
    assert made.neurons.keys() == {"a", "out"}
    fewer = replace(chip, populations=chip.populations[:1] + chip.populations[2:], connections=(
        Connection("in", "out", np.full((2, 3), 2)),
    ))  # fmt: skip
    with pytest.raises(ValueError, match=r"zip\(\)"):
        on_netx.build(fewer, np.zeros((5, 1, 3, 1, 1), np.int64), Schedule.of(fewer, 1), tmp_path)


def test_refuses_networks_that_lava_would_compute_differently(
    chip: ChipNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lava_job, "require_lava", lambda kind: None)
    odd = Connection("in", "out", np.array([[1, -2, 129], [2, 2, 2]]))
    wide = Connection("in", "out", np.full((2, 1, 1, 1), 2), conv=ConvGeometry(stride=(128, 1)))
    with pytest.raises(InputError) as refusal:
        on_lava.run(replace(chip, connections=(odd,)), np.zeros((1, 1, 3), dtype=np.int64))
    assert str(refusal.value) == (
        "on=lava: connection in->out: Lava would change its weights; those of mixed sign must be even, or within "
        "-128..127"
    )
    image = Population("in", (1, 200, 1), "input", None)
    out = Population("out", (2, 2, 1), "readout", Neuron(4095, 0, 1, np.zeros((2, 2, 1), dtype=np.int64)))
    with pytest.raises(InputError, match="Lava holds sizes of kernels, strides, paddings, dilations and groups up to"):
        on_lava.run(replace(chip, populations=(image, out), connections=(wide,)), np.zeros((1, 1, 1, 200, 1), np.int64))


@pytest.mark.lava
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (0, "FileNotFoundError: [Errno 2] No such file or directory"),  # while Lava starts
        (1, "IndexError: index 1 is out of bounds for axis 0 with size 1"),  # while it runs
    ],
)
def test_a_failing_lava_process_becomes_one_error(chip: ChipNetwork, tmp_path: Path, rows: int, words: str) -> None:
    if importlib.util.find_spec("lava") is None:
        pytest.skip("Lava is not installed (it needs Python 3.10)")
    file = tmp_path / "short.npy"
    if rows:
        np.save(file, np.zeros((rows, 2), dtype=np.uint8))
    code = f"from spikewright.simulation.lava import child; child._file = lambda *a: {str(file)!r}; child.main()"
    with pytest.raises(SpikewrightError) as failure:
        watch(code, 90, lambda folder: write(folder, chip, np.zeros((1, 1, 3), dtype=np.int64), "lava"))
    assert str(failure.value).startswith("on=lava: Lava's process failed (exit code 70)\n")
    assert words in str(failure.value)


@pytest.mark.lava
def test_nothing_that_has_a_name_is_shared(chip: ChipNetwork) -> None:
    if importlib.util.find_spec("lava") is None:
        pytest.skip("Lava is not installed (it needs Python 3.10)")
    code = f"""
import _multiprocessing, _posixshmem
import multiprocessing.shared_memory, multiprocessing.synchronize, multiprocessing.resource_tracker
def named(*given):
    raise AssertionError(f"something with a name: {{given}}")
_multiprocessing.SemLock = _posixshmem.shm_open = named
multiprocessing.resource_tracker.ResourceTracker.ensure_running = named
{lava_job.CODE}
"""
    drive = np.zeros((1, 3, 3), dtype=np.int64)
    assert watch(code, 90, lambda folder: write(folder, chip, drive, "lava")) == [1, 1, 1]
