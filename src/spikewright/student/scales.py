"""What the scales of a student on integers leave room for."""

from __future__ import annotations

from typing import Literal

Scales = Literal["auto", "worst-case", "measured"]
"""Any input (``worst-case``), peaks measured on training data (``measured``), or peaks for the layers to whose weights
the worst case leaves too few bits (``auto``)."""
