"""The tools whose neurons are known: importing this module fills the table. None of them is imported for it."""

from __future__ import annotations

from . import of_norse, of_sinabs, of_snntorch, of_spikingjelly

TOOLS = (of_snntorch, of_spikingjelly, of_sinabs, of_norse)
