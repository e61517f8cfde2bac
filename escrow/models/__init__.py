"""The one list of the domain's tables: columns, types and keys, as Tortoise models, a file for each noun.

`escrow.store` reads and writes by them, and a test compares them with the database, column by column and key by key. What
they can't say (foreign keys, checks, partial indexes, triggers) stands in the migrations alone.

The package is all of its files' names together.
"""

from escrow.models.accounts import *
from escrow.models.acts import *
from escrow.models.archives import *
from escrow.models.balances import *
from escrow.models.calendars import *
from escrow.models.change_requests import *
from escrow.models.contracts import *
from escrow.models.costs import *
from escrow.models.couplings import *
from escrow.models.deadlines import *
from escrow.models.deployment import *
from escrow.models.deposits import *
from escrow.models.disputes import *
from escrow.models.documents import *
from escrow.models.endpoints import *
from escrow.models.event_types import *
from escrow.models.events import *
from escrow.models.idempotency import *
from escrow.models.keys import *
from escrow.models.log import *
from escrow.models.members import *
from escrow.models.milestones import *
from escrow.models.orders import *
from escrow.models.payees import *
from escrow.models.reconciliation import *
from escrow.models.references import *
from escrow.models.refunds import *
from escrow.models.sandbox import *
from escrow.models.sessions import *
from escrow.models.sweeps import *
from escrow.models.titles import *
from escrow.models.transfers import *
from escrow.models.updates import *
from escrow.models.work import *
