"""Lists the tables of what belongs to an account: members, payees, sessions, endpoints and their secrets.

Keys are told otherwise: their secret's digest is a column, and the state knows only the digest of that.
"""

from __future__ import annotations

from typing import Final

from escrow import models
from escrow.accounts.state import Account, Endpoint, Member, Payee, Secret, Session
from escrow.store.mapping import Mapper

MEMBERS: Final = Mapper(Member, models.Member, owner=Account)
PAYEES: Final = Mapper(Payee, models.Payee, owner=Account)
SESSIONS: Final = Mapper(Session, models.Session, owner=Account)
ENDPOINTS: Final = Mapper(Endpoint, models.Endpoint, owner=Account)
SECRETS: Final = Mapper(Secret, models.EndpointSecret, owner=Endpoint)
"""What may be told of secrets; their ciphertexts are written and never read."""
