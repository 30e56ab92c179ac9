"""The page docs/compatibility.md from its records; it needs nothing of spikewright."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .nets import KINDS, NAMES, STEPS

Record = Mapping[str, Any]

WHY = (
    ("snntorch", "", "Synaptic", "where Synaptic resets to zero, what arrives in the step after a spike is lost"),
    ("snntorch", "recurrent", "Leaky", "where RLeaky resets to zero, what arrives in the step after a spike is lost"),
    ("rockpool", "recurrent", "", "its exporter leaves the recurrent weights out"),
    (
        "spyx",
        "recurrent",
        "",
        "its exporter leads what arrives through the recurrent weights, which its neurons do not",
    ),
    ("spyx", "conv", "", "its Flatten has channels last, and its exporter writes the weights behind it as they are"),
)
"""Why spikes differ: tool, kind of network, part of the variant, and the reason."""

HEAD = """\
# Compatibility

Networks that went from other tools to spikewright and back through NIR files, and their spikes compared step by step.
For each tool four small networks with random weights run {steps} steps on random events: an MLP, one with recurrent
weights, a convolution with pooling, and one with a skip connection.

`PYTHONPATH=benchmarks .venv/bin/python -m compatibility all` writes this page and its records,
`docs/compatibility.json`; `requirements/make-env.sh TOOL` makes the environment of a tool. What the words mean:
[Graphs of other tools](other-tools.md).
"""
READ = """\

## Their files, read here

Each tool exported its own network with its own function. *Equal*: every spike of every layer in every step, with
nothing said but the path. *Equal, told X*: with that argument; before it is what happens without, where each assumption
is said, or *asked*. Where a network was refused, the exporter has lost what connects its layers, or never had it.
sinabs' exporter leaves the input shape of a convolution out, without which nir 1.0.4 does not write it: the script
fills it in.
"""
WRITTEN = """\

## Our files, read there

The same networks in our own convention, written with `spikewright to-nir --for TOOL` and read by the tool's own
importer. *Told*: with what the notes of the writing say one has to set in the tool.
"""


def page_of(records: Mapping[str, Any]) -> str:
    """The whole page, docs/compatibility.md, of what was recorded."""
    notes: list[str] = []
    parts = [HEAD.format(steps=STEPS), *_versions(records), READ, *_theirs(records, notes)]
    parts += [WRITTEN, *_ours(records, notes), *_plain(records), "\n## Notes\n\n"]
    parts += [f"{number}. {note}\n" for number, note in enumerate(notes, 1)]
    return "".join(parts)


def _versions(records: Mapping[str, Any]) -> Iterator[str]:
    yield "\n| tool | versions |\n| --- | --- |\n"
    for tool, facts in records.items():
        versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
        yield f"| {tool} | {versions} |\n"


def _table(head: str, rows: Mapping[tuple[str, ...], Mapping[str, str]]) -> Iterator[str]:
    yield f"\n| {head} | " + " | ".join(NAMES[kind] for kind in KINDS) + " |\n"
    yield "| --- " * (head.count("|") + 1 + len(KINDS)) + "|\n"
    for names, cells in rows.items():
        yield f"| {' | '.join(names)} | " + " | ".join(cells.get(kind, "") for kind in KINDS) + " |\n"


def _theirs(records: Mapping[str, Any], notes: list[str]) -> Iterator[str]:
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for tool, facts in records.items():
        for record in facts["theirs"]:
            rows.setdefault((tool, record["says"]), {})[record["kind"]] = their_cell(tool, record, notes)
    yield from _table("tool | its network", rows)


def their_cell(tool: str, record: Record, notes: list[str]) -> str:
    """What became of a network of another tool."""
    if "refused there" in record:
        return f"refused by {tool} {_note(notes, _code(record['refused there']))}"
    untold = record["untold"]
    if is_equal(untold):
        return _equal(untold)
    told = record["told it"]
    before = "asked" if "refused" in untold else _share(untold)
    if is_equal(told):
        return f"{before}; {_equal(told)}, told {_words(tool, record['told'])}"
    if "refused" in told:
        lines = [line.strip(" -") for line in told["refused"].splitlines()]
        return f"refused here {_note(notes, '; '.join(sorted(lines[1:]) or lines))}"
    return f"{_share(told)} {_note(notes, why(tool, record))}"


def is_equal(outcome: Record) -> bool:
    """Whether all spikes are the same, or come a number of steps later in every layer."""
    return "late" in outcome and None not in outcome["late"]


def _equal(outcome: Record) -> str:
    late = outcome["late"]
    return "equal" if not any(late) else f"equal, {' and '.join(map(str, late))} steps later there"


def _share(outcome: Record) -> str:
    return f"{outcome['differs'][0]} of {outcome['differs'][1]} differ"


def _words(tool: str, told: Record) -> str:
    flags = {"dt_s": "--dt", "reset": "--reset", "producer": "--producer"}
    given = told if "producer" in told or told else {"producer": tool}
    return "`" + " ".join(f"{flags[name]} {value}" for name, value in given.items()) + "`"


def why(tool: str, record: Record) -> str:
    """Why spikes differ that are the same by no argument; empty where nobody knows."""
    fitting = (w for t, kind, part, w in WHY if t == tool and kind in ("", record["kind"]) and part in record["says"])
    return next(fitting, "")


def _code(text: str) -> str:
    return "`" + text.replace("|", "/") + "`"


def _note(notes: list[str], text: str) -> str:
    if text not in notes:
        notes.append(text)
    return f"({notes.index(text) + 1})"


def _ours(records: Mapping[str, Any], notes: list[str]) -> Iterator[str]:
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for tool, facts in records.items():
        for record in facts.get("ours", []):
            told = "told" if record["told"] else "as it is"
            rows.setdefault((tool, record["reset"], told), {})[record["kind"]] = our_cell(tool, record, notes)
    yield from _table("tool | reset of our network | importer", rows)


def our_cell(tool: str, record: Record, notes: list[str]) -> str:
    """What a tool made of our network."""
    if "refused here" in record:
        faults = "; ".join(line.strip(" -") for line in record["faults"]) or record["refused here"]
        return f"refused here {_note(notes, faults)}"
    if "refused there" in record:
        return f"refused by {tool} {_note(notes, _code(record['refused there']))}"
    different = sum(each[0] for each in record["differs"].values())
    if not different:
        return "equal"
    total = sum(each[1] for each in record["differs"].values())
    return f"{different} of {total} differ {_note(notes, 'said when it is written: ' + '; '.join(record['said']))}"


def _plain(records: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Versions of nir\n\nThe MLP read with the `nir.read` of each environment.\n"
    yield "\n| environment | nir | our default file | `--for nir-1.0.4` |\n| --- | --- | --- | --- |\n"
    for tool, facts in records.items():
        if "nir" in facts:
            cells = [f"`{error}`" if error else "read" for error in facts["nir"].values()]
            yield f"| {tool} | {facts['versions']['nir']} | {' | '.join(cells)} |\n"
