"""The model card of a NIR graph."""
