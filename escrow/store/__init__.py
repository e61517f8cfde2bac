"""Contracts in the database: how objects become rows and back, and the one read and the one write of a command."""
