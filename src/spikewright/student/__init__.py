"""The spiking student: its network, its neurons, its integers, its NIR graph."""
