"""NIR graphs: files, nodes, wiring, time step, and a reference interpreter.

sinabs asks for nir 1.0.4, which has no node for a synaptic filter before neurons that never fire. Where networks are
only imported that is enough, so the name stands here for a node of which none can be made.
"""

from __future__ import annotations

from typing import Any

import nir

from ..base.errors import InputError


class CubaLI:
    """What nir before 1.0.8 has no node for."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Refuse it.

        Raises:
            InputError: always.
        """
        check_nir()


def check_nir() -> None:
    """Refuse to export where nir is too old.

    Raises:
        InputError: nir is older than 1.0.8.
    """
    if nir.CubaLI is CubaLI:
        raise InputError(
            "nir: is older than 1.0.8 and writes other graphs; import networks here, and export the student's file "
            "where nir is 1.0.8 or later"
        )


if not hasattr(nir, "CubaLI"):
    nir.CubaLI = CubaLI
