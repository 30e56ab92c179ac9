"""Readers of data files, one module for each kind of file."""
