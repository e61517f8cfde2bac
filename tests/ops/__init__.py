"""What can be checked of `ops/` without an engine of containers."""
