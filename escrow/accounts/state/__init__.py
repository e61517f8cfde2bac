"""What an account is between two events: immutable values, a file for each noun."""

from escrow.accounts.state.accounts import *  # noqa: F403
