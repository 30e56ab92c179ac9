"""What became of mutants, and which survivors are said, with a proof, to change nothing that can be seen."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import tomli

from campaigns.mutants.mutant import Mutant
from campaigns.mutants.places import PLACES
from campaigns.mutants.trial import KILLED, TIME_LIMIT

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
LEAST_KILLED, MOST_EQUIVALENT = 0.95, 0.03


@dataclass(frozen=True)
class Tried:
    """A mutant, its outcome (a word of :mod:`campaigns.mutants.trial`) and the seconds that took."""

    mutant: Mutant
    outcome: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.outcome in (KILLED, TIME_LIMIT)

    def line(self) -> str:
        m = self.mutant
        return f"{self.outcome} ({self.seconds:.0f} s) {m.module}:{m.line} {m.before} -> {m.after}"


def proofs() -> dict[tuple[str, str, str], str]:
    """The lines of proof in ``equivalent.toml``, by module, text before and text after."""
    entries = tomli.loads(EQUIVALENT.read_text())["mutant"]
    return {(entry["module"], entry["before"], entry["after"]): entry["proof"] for entry in entries}


@dataclass
class Tally:
    """All mutants of a campaign."""

    tried: list[Tried] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Tally:
        entries = json.loads(path.read_text())["mutants"]
        return cls([Tried(Mutant(**entry["mutant"]), entry["outcome"], 0.0) for entry in entries])

    def write(self, path: Path) -> None:
        known = proofs()
        entries = [
            {"mutant": tried.mutant.as_json(), "outcome": tried.outcome, "proof": self._proof(tried, known)}
            for tried in self.tried
        ]
        path.write_text(json.dumps({"summary": self.summary(), "mutants": entries}, indent=1) + "\n")

    def add(self, tried: Tried) -> None:
        self.tried.append(tried)

    def forgotten_survivors(self) -> list[Mutant]:
        """The survivors without a proof, whose outcomes are forgotten; only those whose module still gives them."""
        again = [tried for tried in self.tried if not tried.killed and not self._proof(tried, proofs())]
        self.tried = [tried for tried in self.tried if tried not in again]
        return [tried.mutant for tried in again]

    def untried(self, mutants: list[Mutant]) -> list[Mutant]:
        """Those of ``mutants`` without an outcome; outcomes of other mutants are forgotten."""
        self.tried = [tried for tried in self.tried if tried.mutant in mutants]
        done = {tried.mutant for tried in self.tried}
        return [mutant for mutant in mutants if mutant not in done]

    @staticmethod
    def _proof(tried: Tried, known: dict[tuple[str, str, str], str]) -> str | None:
        if tried.killed:
            return None
        return known.get((tried.mutant.module, tried.mutant.before, tried.mutant.after))

    def summary(self) -> dict[str, dict[str, int]]:
        """For each group and all: mutants, killed, killed by the time limit, equivalent, survived without a proof."""
        known = proofs()
        rows: dict[str, Counter[str]] = {group: Counter() for group in [*PLACES, "all"]}
        for tried in self.tried:
            for group in (tried.mutant.group, "all"):
                row = rows[group]
                row["mutants"] += 1
                row["killed"] += tried.killed
                row["of these, by the time limit"] += tried.outcome == TIME_LIMIT
                row["equivalent"] += self._proof(tried, known) is not None
                row["survived"] += not tried.killed and self._proof(tried, known) is None
        return {group: dict(row) for group, row in rows.items() if row}

    def good(self) -> bool:
        """Whether enough are killed, and few enough are said to be equivalent."""
        row = self.summary()["all"]
        return row["killed"] >= LEAST_KILLED * row["mutants"] and row["equivalent"] <= MOST_EQUIVALENT * row["mutants"]

    def table(self) -> str:
        summary = self.summary()
        head = list(summary["all"])
        lines = ["| group | " + " | ".join(head) + " | killed, % |", "| --- " * (len(head) + 2) + "|"]
        for group, row in summary.items():
            percent = 100 * row["killed"] / row["mutants"]
            lines.append(f"| {group} | " + " | ".join(str(row[name]) for name in head) + f" | {percent:.1f} |")
        return "\n".join(lines)
