"""Two processes that share a training end where one process ends: weights, losses, controllers, integers, resume."""

import json
from pathlib import Path

import numpy as np
import pytest
import shared_steps
import torch
from shared_steps import CASES, OWN, RUN

from spikewright.base.processes import Processes
from spikewright.student.neurons import NeuronTrace, output_of
from spikewright.student.shared import Share
from spikewright.student.whole_batch import WholeBatch

LIMIT_S = 550


@pytest.fixture(scope="module")
def found(root: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("together") / "found.json"
    script = str(Path(shared_steps.__file__))
    paths = f"{root / 'src'}:{root / 'tests'}"
    for process in shared_steps.start([script, str(out)], 2, {"PYTHONPATH": paths}):
        said = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, said
    return json.loads(out.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES, OWN])
def test_a_shared_batch_trains_as_a_whole_one(found, name):
    """Sums in another order differ by some 1e-7 in each step; a part that is left out differs by what was learnt."""
    case = found[name]
    apart, moved = case["apart"], case["moved"]
    assert max(apart.values()) < 1e-4, max(apart, key=apart.get)
    learnt = [moved[each] for each in moved if each.endswith(("weight", "bias"))]
    assert max(learnt) > 5e-3
    alone, shared = case["terms"]
    assert shared == pytest.approx(alone, rel=1e-4, abs=1e-6)
    for limit, state in case["controllers"][0].items():
        assert case["controllers"][1][limit] == pytest.approx(state, rel=1e-4, nan_ok=True)


class Unasked(Processes):
    """Processes of which nothing may be asked."""

    def joined(self, values, count):
        raise AssertionError("values were sent that no loss asked for")

    summed = joined


def test_what_no_loss_asks_for_is_not_sent():
    trace = NeuronTrace(torch.zeros(2, 3, 5), torch.zeros(2, 3, 5), torch.zeros(2, 3, 5))
    own = output_of(torch.zeros(1, 3, 4), {"lif1": trace}, 2)
    whole = WholeBatch(own, Share(Unasked(0, 2), 6))
    assert "lif1" in whole.spikes and "lif2" not in whole.traces
    assert (len(whole.spikes), list(whole.traces), whole.counts_spikes, whole.timesteps) == (1, ["lif1"], True, 2)
    with pytest.raises(AssertionError, match="no loss asked for"):
        whole.spikes["lif1"]


@pytest.mark.slow
def test_the_case_of_a_budget_binds(found):
    states = found["a budget and a limit of rates"]["controllers"][0]
    assert states["budget"]["multiplier"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["shared", "one, then two", "two, then one"])
def test_integers_are_those_of_one_process(found, how):
    """Compared: the scales, which are equal; the integers, which may differ by one step where a weight lies between
    two; the weights in floats; and what was measured of each epoch."""
    alone, other = found[RUN]["alone"], found[RUN][how]
    assert [record["on_integers"] for record in alone["history"]][:4] == [False, False, True, True]
    assert other["scales"] == alone["scales"]
    for mine, theirs in zip(alone["integers"], other["integers"], strict=True):
        apart = np.abs(np.array(mine) - np.array(theirs))
        assert apart.max() <= 2 and np.count_nonzero(apart) <= 0.01 * apart.size
    for name, value in alone["weights"].items():
        apart = np.abs(np.array(value) - np.array(other["weights"][name]))
        assert np.max(apart, initial=0) < 1e-2 and np.count_nonzero(apart > 1e-4) <= 0.01 * apart.size, name
    for mine, theirs in zip(alone["history"], other["history"], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-3, abs=1e-4)
        for name in ("cost", "validation_accuracy", "train_accuracy"):
            assert theirs[name] == pytest.approx(mine[name], rel=0.02), name
        assert theirs["multipliers"] == pytest.approx(mine["multipliers"], rel=0.02)
    assert other["certificate"]["energy"] == pytest.approx(alone["certificate"]["energy"], rel=0.02)
