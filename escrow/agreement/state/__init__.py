"""What a contract is between two events: immutable values, a file for each noun, no behaviour but looking things up in them.

The package is all of its files' names together.
"""

from escrow.agreement.state.attachments import *  # noqa: F403
from escrow.agreement.state.change_requests import *  # noqa: F403
from escrow.agreement.state.contracts import *  # noqa: F403
from escrow.agreement.state.deposits import *  # noqa: F403
from escrow.agreement.state.disputes import *  # noqa: F403
from escrow.agreement.state.endings import *  # noqa: F403
from escrow.agreement.state.holdings import *  # noqa: F403
from escrow.agreement.state.milestones import *  # noqa: F403
from escrow.agreement.state.orders import *  # noqa: F403
from escrow.agreement.state.parties import *  # noqa: F403
from escrow.agreement.state.refunds import *  # noqa: F403
from escrow.agreement.state.updates import *  # noqa: F403
from escrow.agreement.state.work import *  # noqa: F403
