"""The facts that an account's log is made of, a file for each noun."""

from escrow.accounts.events.accounts import *  # noqa: F403
