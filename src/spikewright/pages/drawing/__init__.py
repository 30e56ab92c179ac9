"""Pictures of networks as graphs: what is drawn of each kind of network, where it goes, and the SVG of it."""
