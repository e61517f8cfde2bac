"""Brings events from the log to receivers: fan-out, lanes, claims, the dispatcher, and what becomes of each attempt."""
