"""Defines the error that keeps Earnest from starting, with one line for the person at the keyboard."""


class CannotStart(Exception):
    """Something outside the program has to change first; the message is one line that says what and how."""
