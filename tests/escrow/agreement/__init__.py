"""The law of agreements, tested against a second telling of it."""
