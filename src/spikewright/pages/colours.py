"""The colours of plots and pages, apart from the library that draws, which takes long to load."""

from __future__ import annotations

INK, FAINT, RULE = "#1f2933", "#5c6773", "#c9d1d9"
BLUE, PALE, SAND = "#2f5d8a", "#9db8d2", "#d9a441"
