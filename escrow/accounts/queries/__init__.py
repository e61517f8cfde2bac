"""What an actor may see of accounts and what belongs to them, a file for each noun."""

from escrow.accounts.queries.accounts import *  # noqa: F403
