"""The base of all packages: errors, files, caches, progress, the version."""
