"""Defines the error that keeps Earnest from starting, with one line for the person at the keyboard."""

import errno
from typing import Final

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What the system says where nothing more can be written, although nothing is broken."""


class CannotStart(Exception):
    """Something outside the program has to change first; the message is one line that says what and how."""
