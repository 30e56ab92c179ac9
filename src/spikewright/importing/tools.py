"""The tools whose neurons are known: importing this module fills the table."""

from __future__ import annotations

from . import of_snntorch

TOOLS = (of_snntorch,)
