"""Holds the demo: people with keys, stories that they play through the API, and what a partner sees of them."""
