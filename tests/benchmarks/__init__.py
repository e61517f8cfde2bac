"""Figures, printed by `make bench` and never asserted: ratios of things measured side by side in one run."""
