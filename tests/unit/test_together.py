"""Two processes that share a training end where one process ends: weights, losses, controllers, integers, resume."""

import json
from pathlib import Path

import numpy as np
import pytest
import shared_steps
from shared_steps import CASES, OWN, RUN

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
