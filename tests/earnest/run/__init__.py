"""Tests of `earnest.run`."""
