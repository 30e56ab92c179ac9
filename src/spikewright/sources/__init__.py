"""What data are read from, one module for each kind of file or object."""
