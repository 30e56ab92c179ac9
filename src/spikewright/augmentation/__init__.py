"""Random changes of training samples that leave their class as it is."""
