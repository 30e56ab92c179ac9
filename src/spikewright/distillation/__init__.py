"""Distillation methods and regularizers, one file each."""
