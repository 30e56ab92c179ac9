"""What counted events cost on a hardware profile."""
