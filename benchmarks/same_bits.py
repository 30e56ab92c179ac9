"""Whether a change of the code changed a result: six short trainings on digits, taken through every command.

Each training goes through the five scripts of a checkout (distil, to NIR, lower, simulate, report) as a user runs them.
For each the script prints the SHA-256 of the student's weights and of the arrays of the chip network, the spikes and
synaptic operations that were counted, and the energy of the report. Rounding differs between machines and versions of
torch, so the numbers of two commits are compared on one machine. What a report says now and did not say before is no
difference:

    python benchmarks/same_bits.py --out before.json
    python benchmarks/same_bits.py --against before.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
SHORT = "--epochs 2 --width 4 --teacher mlp --teacher-epochs 2 --seed 3"
TRAININGS = {
    "direct, integers, a budget": f"--data digits --encoding direct --energy-budget 1uJ {SHORT}",
    "current, integers": f"--data digits --encoding current -T 4 {SHORT} --profile loihi1-davies",
    "events, integers": f"--data digits-events -T 8 {SHORT} --method ht-kd",
    "direct, CubaLIF": f"--data digits --encoding direct -T 4 --neuron cubalif {SHORT}",
    "direct, floats": f"--data digits --encoding direct -T 2 --integer-from 1 {SHORT}",
    "current, 4 bits, two chips": (
        f"--data digits --encoding current -T 3 --weight-bits 4 --energy-budget 2uJ --also-within loihi1-davies=2uJ "
        f"{SHORT}"
    ),
}


def _run(script: str, *words: str, cache: Path) -> str:
    """Standard output of one script of the checkout; its standard error where it fails."""
    command = [sys.executable, str(ROOT / script), *words]
    environment = {"PATH": "/usr/bin:/bin", "SPIKEWRIGHT_CACHE": str(cache), "OMP_NUM_THREADS": "1", "HOME": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode not in (0, 1):  # 1: over the budget, which a short training may be
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def _digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _weights(file: Path) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in torch.load(file, weights_only=True)["weights"].items()}


def _chip_arrays(file: Path) -> dict[str, np.ndarray]:
    """Every dataset of a chip file but its provenance, which holds versions and hashes of files."""
    found: dict[str, np.ndarray] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name != "provenance":
            found[name] = np.asarray(item)

    with h5py.File(file) as chip:
        chip.visititems(take)
    return found


def measure(flags: str, folder: Path, cache: Path) -> dict[str, object]:
    """Take one training through the five scripts.

    Args:
        flags: of `train/distill.py`.
        folder: for the artefacts.
        cache: for trained teachers.

    Returns:
        The digests, counts per inference and energy, JSON-able.
    """
    words = flags.split()
    data = words[words.index("--data") + 1]
    profile = words[words.index("--profile") + 1] if "--profile" in words else "loihi2-assumed"
    student, graph, chip, activity = (
        str(folder / n) for n in ("student.pt", "student.nir", "chip.h5", "activity.json")
    )
    _run("train/distill.py", *words, "-o", student, cache=cache)
    _run("convert/to_nir.py", student, "-o", graph, cache=cache)
    _run("deploy/lower.py", graph, "--profile", profile, "-o", chip, cache=cache)
    _run("deploy/simulate.py", chip, "--data", data, "-o", activity, cache=cache)
    report = json.loads(_run("hardware_profiles/report.py", activity, chip, "--json", cache=cache))
    if isinstance(report.get("reports"), list):
        report = report["reports"][0]
    return {
        "weights_sha256": _digest(_weights(folder / "student.pt")),
        "chip_sha256": _digest(_chip_arrays(folder / "chip.h5")),
        "report": {k: report[k] for k in sorted(report) if k not in ("provenance", "machines", "profile")},
    }


def differs(before: Any, now: Any) -> bool:
    """Whether anything that was known before is another now; further keys of objects, and further events, are none."""
    if isinstance(before, dict) and isinstance(now, dict):
        return any(name not in now or differs(value, now[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(now, list):
        before, now = _by_event(before), _by_event(now)
        if isinstance(before, dict) and isinstance(now, dict):
            return differs(before, now)
        return len(before) != len(now) or any(map(differs, before, now))
    return bool(before != now)


def _by_event(items: list[Any]) -> Any:
    """A list of what is not modelled, by its event; any other list as it is."""
    named = all(isinstance(each, dict) and each.keys() == {"event", "words", "count", "why"} for each in items)
    return {each["event"]: each for each in items} if items and named else items


def main() -> None:
    """Measure every training; compare with an earlier run where one is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the measurements as JSON")
    parser.add_argument("--against", type=Path, help="JSON of an earlier run; exit code 1 where anything differs")
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for i, (title, flags) in enumerate(TRAININGS.items()):
            folder = Path(name) / str(i)
            folder.mkdir()
            found[title] = measure(flags, folder, Path(name) / "cache")
            print(f"{title}: weights {found[title]['weights_sha256'][:16]} chip {found[title]['chip_sha256'][:16]}")
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    if given.against:
        before = json.loads(given.against.read_text())
        differing = [title for title in TRAININGS if differs(before.get(title), found[title])]
        print("equal in every number" if not differing else f"different: {'; '.join(differing)}")
        sys.exit(bool(differing))


if __name__ == "__main__":
    main()
