"""NIR graphs: files, nodes, wiring, time step, and a reference interpreter."""
