"""What an account is between two events: immutable values, a file for each noun, no behaviour but looking things up in them."""

from escrow.accounts.state.accounts import *
from escrow.accounts.state.endpoints import *
from escrow.accounts.state.keys import *
from escrow.accounts.state.members import *
from escrow.accounts.state.payees import *
from escrow.accounts.state.sessions import *
