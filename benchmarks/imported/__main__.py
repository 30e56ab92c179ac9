"""Trained networks of other tools, imported in the environment of their tool, and deployed in Lava's.

    PYTHONPATH=benchmarks .venv/bin/python -m imported take snntorch
    PYTHONPATH=benchmarks .venv-norse/bin/python -m imported take norse              (sinabs, spikingjelly likewise)
    PYTHONPATH=benchmarks .venv/bin/python -m imported deploy

`requirements/make-env.sh norse` makes the environment of a tool. `take` trains each network by its tool on digits,
makes a student of it, and keeps what the network answered; `deploy` reads the students, compares their answers with
those, lowers them, runs them on integers and on Lava, and prints the table. Everything lies below build/imported.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import spikewright as sw
from spikewright.base.errors import SpikewrightError

from .cases import Case, accuracy, train

TOOLS = ("snntorch", "spikingjelly", "sinabs", "norse")
SHOWN = 8
"""Samples of the example that a network is recorded on."""


def samples_of(case: Case, part: sw.Split) -> tuple[Tensor, Tensor]:
    """The digits of a part as the network takes them; see :attr:`Case.data`."""
    images, labels = torch.from_numpy(np.asarray(part.samples[:])).float(), torch.from_numpy(np.asarray(part.labels))
    if case.data == "frames":
        return (images[:, None] > torch.arange(8).reshape(1, 8, 1, 1, 1) / 8).float(), labels
    if case.data != "digits":
        images = images.movedim(2, 1).reshape(len(images), 8, 1, 1, 8).repeat_interleave(2, 1)
    return (images > 0.5).float() if case.data == "spikes" else images, labels


def take(tool: str, out: Path, only: Sequence[str]) -> None:
    """Train and import the networks of a tool."""
    data = sw.load("digits")
    for number, case in enumerate(import_module(f".in_{tool}", __package__).cases()):
        if only and case.name not in only:
            continue
        folder = out / f"{tool}-{number:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(number)
        train(case, *samples_of(case, data.train))
        samples, labels = samples_of(case, data.test)
        facts: dict[str, Any] = {"tool": tool, "name": case.name, "says": case.says, "data": case.data}
        facts["own accuracy"] = accuracy(case, samples, labels)
        with torch.no_grad():
            np.save(folder / "answers.npy", case.logits(case.module, samples).numpy())
        try:
            student = sw.Student.from_module(case.module, case.takes(samples[:SHOWN]), **case.asked)
            sw.save_student(student, folder / "student.pt", {})
        except SpikewrightError as error:
            facts["refused"] = str(error)
        (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
        print(f"{tool}, {case.name}: {facts['own accuracy']:.1%} {facts.get('refused', 'imported')}", flush=True)


def deploy(out: Path, profile: str, on_lava: int) -> None:
    """Run the imported students in floats, on integers and on Lava, and print the table."""
    heads = ("tool", "network", "what is special", "own accuracy", "other answers", "on integers", "Lava: differences")
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|", flush=True)
    for folder in sorted(path.parent for path in out.glob("*/facts.json")):
        facts = json.loads((folder / "facts.json").read_text())
        cells = [facts["tool"], facts["name"], facts["says"], f"{facts['own accuracy']:.1%}"]
        cells += ["refused", "", ""] if "refused" in facts else _deployed(folder, facts, profile, on_lava)
        print("| " + " | ".join(cells) + " |", flush=True)


def _deployed(folder: Path, facts: dict[str, Any], profile: str, on_lava: int) -> list[str]:
    from spikewright.simulation import integer
    from spikewright.simulation.lava import backend as lava
    from spikewright.simulation.recording import compare
    from spikewright.simulation.simulate import drive_of

    data, answers = sw.load("digits"), np.load(folder / "answers.npy")
    case = Case("", "", torch.nn.Identity(), lambda m, _: m, data=facts["data"])
    samples, labels = samples_of(case, data.test)
    student = sw.load_student(folder / "student.pt")
    if student.config.changes_each_step:
        samples = samples.reshape(*samples.shape[:2], *student.config.input_shape)
    with torch.no_grad():  # on the very numbers that the tool had: a chip gets them rounded to 8 bits
        frames = samples[None] if facts["data"] == "digits" else samples.movedim(1, 0)
        made_elsewhere = student.config.encoding in ("rate", "latency")
        scores = (student(samples) if made_elsewhere else student.run(frames)).scores.numpy()
    by_class = scores.reshape(len(answers), answers.shape[1], -1).sum(2)
    other = int((~np.isclose(by_class, answers, rtol=1e-4, atol=1e-4)).any(1).sum())
    try:
        chip = sw.lower(sw.to_nir(student), profile=profile)
    except SpikewrightError as error:
        return [f"{other} of {len(answers)}", f"refused: {str(error).splitlines()[-1].strip()}", ""]
    drive = drive_of(chip, samples.numpy())
    found = integer.run(chip, drive)
    quality = found.answers(chip, labels.numpy()).quality
    assert quality is not None
    theirs = lava.run(chip, drive[:, :on_lava], record_states=True)
    ours = integer.run(chip, drive[:, :on_lava], record_states=True)
    mismatches = sum(each.count for each in compare(ours, theirs))
    return [f"{other} of {len(answers)}", f"{quality.accuracy:.1%}", f"{mismatches} in {on_lava}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m imported", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("take", "deploy"))
    parser.add_argument("tool", nargs="?", choices=TOOLS, help="of take")
    parser.add_argument("--out", type=Path, default=Path("build/imported"))
    parser.add_argument("--only", action="append", default=[], help="a network by its name; again for several")
    parser.add_argument("--profile", default="loihi2-assumed")
    parser.add_argument("--on-lava", type=int, default=2, help="samples on Lava (2)")
    arguments = parser.parse_args()
    if arguments.what == "take":
        if arguments.tool is None:
            parser.error(f"take needs a tool: {', '.join(TOOLS)}")
        take(arguments.tool, arguments.out, arguments.only)
    else:
        deploy(arguments.out, arguments.profile, arguments.on_lava)


if __name__ == "__main__":
    main()
