"""Where a report comes from: the command, the files with their hashes, and what the files say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..base.artefacts import sha256_of
from ..base.errors import InputError
from ..base.headers import read_json
from ..chip.activity import Activity
from ..chip.network import ChipNetwork


@dataclass(frozen=True)
class Provenance:
    """Where a report comes from.

    Attributes:
        activity, chip: of each file ``file``, its name without the folder, ``sha256``, and what it says of itself,
            JSON-able; None for a report of objects in memory.
        command: that gives the report again; empty where it was not made by a command.
        network: what a chip network in memory says of itself; empty where there are files.
    """

    activity: Mapping[str, object] | None = None
    chip: Mapping[str, object] | None = None
    command: str = ""
    profile_sha256: str = ""
    network: Mapping[str, object] = field(default_factory=dict)

    @property
    def data(self) -> str:
        """Name of the data set whose samples were counted; empty where the activity does not say it."""
        name = (self.activity or {}).get("data")
        return name if isinstance(name, str) else ""

    def lines(self) -> list[tuple[str, str]]:
        """Command and files with their hashes, by name; what is not known is left out."""
        found = [("command", self.command)] if self.command else []
        for name, origin in (("activity file", self.activity), ("chip file", self.chip)):
            if origin is not None:
                by = f", by {origin['source']}" if origin.get("source") is not None else ""
                found.append((name, f"{origin['file']}, SHA-256 {origin['sha256']}{by}"))
        return found

    def as_json(self) -> dict[str, object]:
        """The provenance as a JSON object; of objects in memory what the network says of itself."""
        if self.activity is None or self.chip is None:
            return dict(self.network)
        command = {"command": self.command} if self.command else {}
        return {"activity": self.activity, "chip": self.chip, **command, "profile_sha256": self.profile_sha256}


def provenance_of(activity_file: Path, chip_file: Path, activity: Activity, chip: ChipNetwork) -> Provenance:
    """The provenance of a report of two files.

    Raises:
        InputError: the activity was counted on another network.
    """
    chip_sha256 = sha256_of(chip_file)
    if activity.chip_sha256 and activity.chip_sha256 != chip_sha256:
        raise InputError(
            f"{activity_file}: was counted on a network with SHA-256 {activity.chip_sha256[:12]}..., and {chip_file} "
            f"has {chip_sha256[:12]}...; give the network that was simulated, or simulate this one"
        )
    counted = {"file": activity_file.name, "sha256": sha256_of(activity_file)}
    lowered = {"file": chip_file.name, "sha256": chip_sha256, "lowered_for": chip.profile}
    # These keys first, whatever the files say of themselves.
    of_chip = {**lowered, **_opened(chip.provenance), **lowered}
    return Provenance({**counted, **activity.provenance, **counted}, of_chip)


def _opened(facts: Mapping[str, object]) -> dict[str, object]:
    """Read those facts that are JSON text, as the metadata of a NIR graph must be; one level deep."""
    opened = {}
    for name, fact in facts.items():
        try:
            opened[name] = read_json(fact) if isinstance(fact, str) and fact.startswith("{") else fact
        except ValueError:
            opened[name] = fact
    return opened
