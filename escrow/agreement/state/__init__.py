"""What a contract is between two events: immutable values, by noun, no behaviour but looking things up in them."""

from escrow.agreement.state.contracts import *  # noqa: F403 - the package is its files' names together
from escrow.agreement.state.disputes import *  # noqa: F403
