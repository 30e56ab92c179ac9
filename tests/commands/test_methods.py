"""``spikewright methods``: the list, one of them whole, and names that there are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikewright.commands.cli import main
from spikewright.distillation.methods import METHODS, REGULARIZERS, parse_spec

TWD = """\
twd: temporal-wise distillation (TWD)
--method twd:alpha=0.2,beta=0.5,temperature=3.0,ensemble=correct
needs teacher logits, step logits; confidence high

Equation
L = (1/T) sum_t [CE(z_t, y) + alpha tau^2 KL(softmax(z_A/tau) || softmax(z_t/tau)) + beta tau^2
KL(softmax(z_ens/tau) || softmax(z_t/tau))],  z_ens without gradient

Source
Yu et al. 2025, arXiv 2501.15925; equation and weights of the released code
(Intelli-Chip-Lab/snn_temporal_decoupling_distillation)

How it differs from the published form
in nothing from the code; the figure of the paper has ensemble=all

Options
option        default   what it is
────────────────────────────────────────────────────────────────────────────────────────────────────
alpha         0.2       weight of the soft labels
beta          0.5       weight of the ensemble of timesteps
temperature   3.0       tau, of all three
ensemble      correct   z_ens: mean logits of the correct timesteps (released code) or of all
                        timesteps (paper); of a sample without a label, of all (correct, all)
"""


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["methods", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return "".join(f"{line.rstrip()}\n" for line in out.splitlines())


def test_one_of_them_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "twd") == TWD


def test_without_options_there_is_no_table_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "none") == (
        "none: labels only\n--method none\nneeds labels only; confidence high; also for values\n\n"
        "Equation\nL = CE(z, y);  values: L = l(z, y), l the squared or the Huber error\n\n"
        "Source\ncontrol without distillation\n\n"
        "How it differs from the published form\nnothing was published: it is the control\n"
    )


def test_the_list_names_every_method_and_regularizer(capsys: pytest.CaptureFixture[str]) -> None:
    head, _, *rows = said(capsys).splitlines()
    assert head.split() == ["name", "flag", "teacher", "confidence", "what", "it", "is"]
    first = [row.split()[:4] for row in rows if not row.startswith(" ")]
    assert first == [
        *(
            [
                n,
                "--method",
                "spiking" if "spiking teacher" in m.needs else "yes" if m.needs_teacher() else "no",
                m.confidence,
            ]
            for n, m in METHODS.items()
        ),
        *([n, "--regularize", "no", r.confidence] for n, r in REGULARIZERS.items()),
    ]


def test_an_unknown_name_is_refused_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "tsr"]) == 2
    known = ", ".join(sorted({*METHODS, *REGULARIZERS}))
    assert capsys.readouterr() == (
        "",
        f"error: method or regularizer 'tsr' is unknown; did you mean 'tser'? may be: {known}\n",
    )


def test_json_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = json.loads(said(capsys, "strong2weak", "--json"))["methods"]
    assert {key: found[key] for key in ("name", "kind", "confidence", "needs")} == {
        "name": "strong2weak",
        "kind": "method",
        "confidence": "medium",
        "needs": ["step logits"],
    }
    assert {option["name"]: (option["default"], option["choices"]) for option in found["options"]} == {
        "direction": ("strong-to-weak", ["strong-to-weak", "weak-to-strong"]),
        "pairs": ("extremes", ["extremes", "cascade"]),
        "weight": (1.0, []),
        "temperature": (2.0, []),
        "constant_teacher": (True, ["true", "false"]),
    }


def test_what_is_listed_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Each option's default, and each of its choices, is taken back; every option says what it is."""
    for entry in json.loads(said(capsys, "--json"))["methods"]:
        known = METHODS if entry["kind"] == "method" else REGULARIZERS
        for option in entry["options"]:
            assert option["description"]
            for value in [str(option["default"]), *option["choices"]]:
                parse_spec(entry["kind"], f"{entry['name']}:{option['name']}={value}", known)


@pytest.mark.parametrize("name", [*METHODS, *REGULARIZERS])
def test_the_page_has_a_row_for_it(name: str, root: Path) -> None:
    assert f"\n| `{name}` | " in (root / "docs" / "distillation.md").read_text(encoding="utf-8")
