"""The facts that a contract's log is made of: one frozen class per event type, with the payload that it carries.

The classes are the catalogue: documentation, JSON Schemas and the codec read their fields. A field marked `FREE_TEXT`
never enters the stored event itself; its salted hash does (see `escrow.log`). Amounts are whole, so that what an event
moves can be told from the event alone.
"""

from typing import Final

from escrow.agreement.events.base import *
from escrow.agreement.events.base import Event
from escrow.agreement.events.bonuses import *
from escrow.agreement.events.change_requests import *
from escrow.agreement.events.contracts import *
from escrow.agreement.events.costs import *
from escrow.agreement.events.deposits import *
from escrow.agreement.events.disputes import *
from escrow.agreement.events.endings import *
from escrow.agreement.events.holdings import *
from escrow.agreement.events.milestones import *
from escrow.agreement.events.orders import *
from escrow.agreement.events.payouts import *
from escrow.agreement.events.refunds import *
from escrow.agreement.events.reversals import *
from escrow.agreement.events.updates import *
from escrow.agreement.events.work import *

CATALOGUE: Final[dict[tuple[str, int], type[Event]]] = {
    (event.type, event.schema_version): event
    for event in list(globals().values())
    if isinstance(event, type) and issubclass(event, Event) and event is not Event
}
"""Every contract event that was ever written, by type and schema version. Nothing is ever taken out."""
