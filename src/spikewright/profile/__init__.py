"""Hardware profiles: one TOML file a chip, read and checked whole, with a source for every constant."""
