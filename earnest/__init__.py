"""Holds what a person starts: the command line, the supervisor, the embedded engines and the demo."""
