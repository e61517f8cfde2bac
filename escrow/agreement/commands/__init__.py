"""What can be asked of a contract, as users say it, and what the payment provider reports. Values only, not yet checked.

Amounts are ``RawMoney``: a wrong one is refused by ``decide``, after everything that the law puts before it. Identifiers of
what a command creates come with it, so that deciding stays free of chance.
"""

from typing import Final

from escrow.agreement.commands.base import *  # noqa: F403
from escrow.agreement.commands.base import Command, PartyCommand, Report
from escrow.agreement.commands.change_requests import *  # noqa: F403
from escrow.agreement.commands.contracts import *  # noqa: F403
from escrow.agreement.commands.deposits import *  # noqa: F403
from escrow.agreement.commands.disputes import *  # noqa: F403
from escrow.agreement.commands.endings import *  # noqa: F403
from escrow.agreement.commands.imports import *  # noqa: F403
from escrow.agreement.commands.milestones import *  # noqa: F403
from escrow.agreement.commands.orders import *  # noqa: F403
from escrow.agreement.commands.payouts import *  # noqa: F403
from escrow.agreement.commands.refunds import *  # noqa: F403
from escrow.agreement.commands.reversals import *  # noqa: F403
from escrow.agreement.commands.updates import *  # noqa: F403
from escrow.agreement.commands.work import *  # noqa: F403
from escrow.rules import Action

_CLASSES: Final = [one for one in list(globals().values()) if isinstance(one, type) and issubclass(one, Command)]

PARTY_COMMANDS: Final[dict[Action, type[PartyCommand]]] = {
    one.action: one for one in _CLASSES if issubclass(one, PartyCommand) and one is not PartyCommand
}
"""The command of each action."""

REPORTS: Final[tuple[type[Report], ...]] = tuple(
    one for one in _CLASSES if issubclass(one, Report) and one is not Report
)
"""What the payment provider may say."""
