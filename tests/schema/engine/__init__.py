"""Tests of `schema.engine`."""
