"""Runs operations: execution, limits, the context, data loaders, streams and where their answers come from."""
