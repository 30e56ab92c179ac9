"""Integer-exact training: past a float warm-up the student's forward pass is the chip's integer network."""
