"""What can be asked of accounts, as users say it, a file for each noun. Values only, not yet checked."""

from escrow.accounts.commands.accounts import *  # noqa: F403
