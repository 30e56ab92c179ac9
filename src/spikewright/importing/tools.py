"""The tools whose neurons are known, and the layers: importing this module fills the tables. None of them is "
"imported for it."""

from __future__ import annotations

from . import handlers, of_norse, of_sinabs, of_snntorch, of_spikingjelly

TOOLS = (handlers, of_snntorch, of_spikingjelly, of_sinabs, of_norse)
