"""Data sets as arrays, images or frames of events: one loader, one split rule."""

from .dataset import Dataset, Split
from .load import NAMES, load

__all__ = ["NAMES", "Dataset", "Split", "load"]
