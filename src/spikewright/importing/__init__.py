"""Trained spiking networks of other tools become students: a network as data, its recording, and the proof of it."""
