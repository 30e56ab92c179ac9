"""Training a student within its limits."""
