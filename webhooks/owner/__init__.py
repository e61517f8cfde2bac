"""Serves the owner of an endpoint: deliveries, redeliveries, replays, tests, and how all of them stand."""
