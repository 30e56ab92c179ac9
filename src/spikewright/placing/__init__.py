"""A chip network laid out over the cores of a chip."""
