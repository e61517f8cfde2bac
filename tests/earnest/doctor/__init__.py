"""Deployments that are broken on purpose, each in one way, and what is said of them."""
