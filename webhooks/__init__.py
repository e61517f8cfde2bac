"""Signed delivery of events to partners. It reads the log of `escrow` and knows no door."""
