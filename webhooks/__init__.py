"""Delivers signed events to partners. It reads the log of `escrow` and knows no door."""
