"""Data sets as arrays, images or frames of events: one loader, one split rule."""
