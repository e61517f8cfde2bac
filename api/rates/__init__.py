"""Rates: how much of this service one client may use, told in points of work."""
