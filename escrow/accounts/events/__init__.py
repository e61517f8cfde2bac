"""The facts that an account's log is made of: who it is, its members, keys, sessions and endpoints; and the operator's fees.

Names are people's words, so they are hashed in the event and can be erased beside it. A key's secret is never in an event:
its fingerprint is, which tells an auditor that the stored digest is still the one of the day, and serves for nothing else.
"""

from typing import Final

from escrow.accounts.events.accounts import *
from escrow.accounts.events.endpoints import *
from escrow.accounts.events.fees import *
from escrow.accounts.events.keys import *
from escrow.accounts.events.members import *
from escrow.accounts.events.payees import *
from escrow.accounts.events.sessions import *
from escrow.agreement.events.base import Event

CATALOGUE: Final[dict[tuple[str, int], type[Event]]] = {
    (event.type, event.schema_version): event
    for event in list(globals().values())
    if isinstance(event, type) and issubclass(event, Event) and event is not Event
}
"""Every account event that was ever written, by type and schema version. Nothing is ever taken out."""
