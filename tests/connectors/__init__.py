"""The engine, its rounds and its tools."""
