"""Keeps a contract's plan and a project tool the same, both ways; it speaks to Earnest by the public API alone."""
