"""What an actor may see of accounts and of what belongs to them, a file for each noun."""

from escrow.accounts.queries.accounts import *
from escrow.accounts.queries.fees import *
from escrow.accounts.queries.keys import *
from escrow.accounts.queries.members import *
from escrow.accounts.queries.payees import *
from escrow.accounts.queries.sessions import *
