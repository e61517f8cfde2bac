"""Tests of `earnest.demo`."""
