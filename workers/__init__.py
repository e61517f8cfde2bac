"""Holds the background work: the sequencer, deadlines, payments, deliveries, and nightly and hourly sweeps."""
