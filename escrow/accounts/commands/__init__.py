"""What can be asked of accounts, as users say it, a file for each noun. Values only, not yet checked.

Identifiers of what a command creates come with it, so that deciding stays free of chance; so does a new key's token, of
which only a digest, a fingerprint and a hint go further.
"""

from escrow.accounts.commands.accounts import *
from escrow.accounts.commands.base import *
from escrow.accounts.commands.endpoints import *
from escrow.accounts.commands.fees import *
from escrow.accounts.commands.keys import *
from escrow.accounts.commands.members import *
from escrow.accounts.commands.payees import *
from escrow.accounts.commands.sessions import *
