"""From data and a teacher to a trained spiking student."""
