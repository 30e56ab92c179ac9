"""What every room stands on: errors, files written whole, caches, the version."""
