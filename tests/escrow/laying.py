"""Stories of the pure core laid down in a database, each by one write, so that a test begins where it gets interesting.

The accounts are those of the stage; what is laid down is what the same commands would have written, one by one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow import ids, log, pipeline
from escrow.access import AccountType, Actor, ActorKind, Scope
from escrow.accounts import commands as account_commands
from escrow.agreement.state import Fees
from escrow.store import write
from escrow.store.read import Loaded
from tests.escrow.agreement.stage import CLIENT_ID, FREELANCER_ID, MEDIATOR_ID, OPERATOR_ID, Story

FEES = Fees(client_bps=333, freelancer_bps=1000)


async def make_accounts() -> None:
    """The operator, a mediator and the two parties of the stage."""
    founder = Actor(ActorKind.OPERATOR)
    await pipeline.run(account_commands.CreateOperator(account_id=OPERATOR_ID, name="Earnest"), by=founder)
    operator = Actor(ActorKind.OPERATOR, OPERATOR_ID, scopes=frozenset(Scope))
    for account_id, kind in (
        (CLIENT_ID, AccountType.COMPANY),
        (FREELANCER_ID, AccountType.INDIVIDUAL),
        (MEDIATOR_ID, AccountType.INDIVIDUAL),
    ):
        creation = account_commands.CreateAccount(account_id=account_id, name="Somebody", type=kind)
        await pipeline.run(creation, by=operator)
    await pipeline.run(account_commands.AppointMediator(account_id=MEDIATOR_ID), by=operator)
    fees = account_commands.SetFees(client_bps=FEES.client_bps, freelancer_bps=FEES.freelancer_bps)
    await pipeline.run(fees, by=operator)


def begin(now: datetime, *, ago: timedelta = timedelta(0)) -> Story:
    """A story that begins some time before `now`, with identifiers of its own."""
    return Story(now=now - ago, fees=FEES, fresh=ids.new)


async def lay_down(story: Story) -> None:
    """Writes all that was recorded of a story as if it had happened in this database."""
    sealed = log.seal(story.id, version=0, last_hash=None, recorded=story.log)
    nothing = Loaded(
        state=None,
        version=0,
        last_hash=None,
        last_event_at=None,
        erasures=0,
        around=story.around(),
        key=None,
        is_beyond_us=False,
    )
    if not await write.write(write.Change.of(nothing, story.state, sealed), owner=None):
        raise RuntimeError(f"{story.id} is there already")
