"""Long runs that try to break things; `make help` names them, and docs/reliability.md holds what they found."""
