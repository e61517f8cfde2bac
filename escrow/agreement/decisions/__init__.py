"""What comes of each command: the events that it causes, by the noun that it is about."""
