"""What a person starts, tested as a person starts it."""
