"""What can be asked of a contract, as users say it, and what the payment provider reports. Values only, not yet checked.

Amounts are `RawMoney`: a wrong one is refused by `decide`, after everything that the law puts before it. Identifiers of
what a command creates come with it, so that deciding stays free of chance.
"""

from typing import Final

from escrow.agreement.commands.base import *
from escrow.agreement.commands.base import Command, PartyCommand, Report
from escrow.agreement.commands.change_requests import *
from escrow.agreement.commands.contracts import *
from escrow.agreement.commands.costs import *
from escrow.agreement.commands.deposits import *
from escrow.agreement.commands.disputes import *
from escrow.agreement.commands.endings import *
from escrow.agreement.commands.imports import *
from escrow.agreement.commands.milestones import *
from escrow.agreement.commands.orders import *
from escrow.agreement.commands.payouts import *
from escrow.agreement.commands.refunds import *
from escrow.agreement.commands.reversals import *
from escrow.agreement.commands.updates import *
from escrow.agreement.commands.work import *
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
