"""Tests of `escrow.store`."""
