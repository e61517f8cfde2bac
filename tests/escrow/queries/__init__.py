"""Tests of `escrow.queries`."""
