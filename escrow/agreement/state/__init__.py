"""What a contract is between two events: immutable values, a file for each noun, no behaviour but looking things up in them.

The package is all of its files' names together.
"""

from escrow.agreement.state.attachments import *
from escrow.agreement.state.change_requests import *
from escrow.agreement.state.contracts import *
from escrow.agreement.state.costs import *
from escrow.agreement.state.deposits import *
from escrow.agreement.state.disputes import *
from escrow.agreement.state.endings import *
from escrow.agreement.state.holdings import *
from escrow.agreement.state.milestones import *
from escrow.agreement.state.orders import *
from escrow.agreement.state.parties import *
from escrow.agreement.state.refunds import *
from escrow.agreement.state.reversals import *
from escrow.agreement.state.updates import *
from escrow.agreement.state.work import *
