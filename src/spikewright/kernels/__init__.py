"""Compiled loops over plain arrays, and the tables that they read. Nothing here knows what a network is."""
