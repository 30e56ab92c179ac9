"""How the help of a command shows its options: in panels by subject, values by what is typed.

Settings bring their panel with them (:mod:`.options`). What a command adds of its own finds it here by its name, so
that one option stands in one panel whichever command has it.
"""

from __future__ import annotations

from collections.abc import Mapping

import typer.core

DATA, CHIP, SIMULATION, OUTPUT = "Data", "Chip and limits", "Simulation", "Output"
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    DATA: ("data", "data_dir", "split", "samples", "encoding", "timesteps", "input_bits", "dt_s"),
    CHIP: ("profile", "energy_budget", "budgets", "chips", "place_by", "weight_bits", "points"),
    SIMULATION: ("on", "module", "network", "batch", "samples_lava"),
    OUTPUT: ("out", "json_output", "as_json", "form", "record", "card", "table"),
}
"""By panel, the options of commands of their own that stand in it; the others stand in typer's own, ``Options``."""
_PANEL_OF = {option: panel for panel, options in SUBJECTS.items() for option in options}


class Command(typer.core.TyperCommand):
    """A command whose help says what to type: nothing after a flag, and of a list its element."""

    def get_params(self, ctx: typer.Context) -> list[typer.core.TyperArgument | typer.core.TyperOption]:  # type: ignore[override]
        """All parameters, ``--help`` included, with their panels and the words for their values."""
        found = super().get_params(ctx)
        for each in found:
            if isinstance(each, typer.core.TyperOption):
                each.rich_help_panel = each.rich_help_panel or _PANEL_OF.get(each.name or "")
                each.metavar = _value(each, ctx) if each.metavar is None else each.metavar
        return found  # type: ignore[return-value]


def _value(option: typer.core.TyperOption, context: typer.Context) -> str:
    """What stands behind an option in the help: ``<path>``; empty for a flag."""
    if option.is_bool_flag:
        return ""
    shown = option.display_type(context).strip("<>").removesuffix(" range")
    return f"<{shown.removeprefix('list[').removesuffix(']').lower()}>"
