"""The types of what operators did, and of credentials that named nobody: two logs that can only grow, for the operator alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import strawberry

from escrow import acts, refused_credentials
from escrow.queries.counts import Counted
from schema.connections import Connection, Window, once, windowed
from schema.engine.context import Context
from schema.scalars import as_number, print_cursor, read_cursor
from schema.types.common import as_id

T = TypeVar("T")

_DIGITS_MAX: Final = 18


@strawberry.type(
    description="What an operator's key or session, or the command line, set out to do: written down before it was done. "
    "Reading is not noted."
)
class OperatorAct:
    id: strawberry.ID = strawberry.field(description="Its number; a later act has a greater one.")
    at: datetime = strawberry.field(description="When it began, in real time.")
    act: str = strawberry.field(description="What it was: the name of a command, or what else makes no event.")
    subject: str | None = strawberry.field(description="What it was about, the beginning of it.")
    account_id: strawberry.ID | None = strawberry.field(
        description="The operator's account, as which the command line acts, too; null for what needs none, such as migrating "
        "the tables or erasing words."
    )
    credential: strawberry.ID | None = strawberry.field(
        description="The key or session; null for the command line, which needs none."
    )
    member_id: strawberry.ID | None = strawberry.field(
        description="The member that the key or session belongs to, if any."
    )
    trace_id: str = strawberry.field(description="By which its lines are found in the logs of all processes.")
    ended_at: datetime | None = strawberry.field(
        description="When it ended. Null while it goes on, and for what a process was killed at: the event log knows."
    )
    code: str | None = strawberry.field(
        description="Why it was refused, or the kind of its failure; null once it is done, and before it ended."
    )

    @classmethod
    def of(cls, act: acts.Act) -> OperatorAct:
        return cls(
            id=strawberry.ID(str(act.id)),
            at=act.at,
            act=act.act,
            subject=act.subject,
            account_id=as_id(act.account_id),
            credential=as_id(act.credential),
            member_id=as_id(act.member_id),
            trace_id=act.trace_id,
            ended_at=act.ended_at,
            code=act.code,
        )


@strawberry.type(
    description="Credentials that named nobody, counted: each process writes ten lines a minute at most, and one for all others "
    "by reason. No part of a token is kept."
)
class RefusedCredential:
    id: strawberry.ID = strawberry.field(description="The number of the line; a later one has a greater one.")
    since: datetime = strawberry.field(description="From when they are counted, in real time.")
    until: datetime = strawberry.field(description="Until when.")
    reason: str = strawberry.field(description="Why they were refused.")
    client: str | None = strawberry.field(
        description="The address or network that they came from; null for all that got no line of their own."
    )
    times: int = strawberry.field(description="How many came; at most 2147483647 are told.")
    trace_id: str | None = strawberry.field(description="The trace of the last one.")

    @classmethod
    def of(cls, line: refused_credentials.Refused) -> RefusedCredential:
        return cls(
            id=strawberry.ID(str(line.id)),
            since=line.since,
            until=line.until,
            reason=line.reason,
            client=line.client,
            times=min(line.times, _TIMES_MAX),
            trace_id=line.trace_id,
        )


_TIMES_MAX: Final = 2**31 - 1


async def operator_acts_list(context: Context, window: Window) -> Connection[OperatorAct]:
    """A page of what operators did, the newest first; for the operator alone."""
    return await _page(context, window, "operator_acts", acts, OperatorAct.of)


async def refused_credentials_list(context: Context, window: Window) -> Connection[RefusedCredential]:
    """A page of the credentials that named nobody, the newest first; for the operator alone."""
    return await _page(context, window, "refused_credentials", refused_credentials, RefusedCredential.of)


async def _page(context: Context, window: Window, order: str, log: Any, show: Callable[[Any], T]) -> Connection[T]:
    context.operator()
    place = as_number(read_cursor(window.place, order)[0], digits_max=_DIGITS_MAX) if window.place is not None else None
    read: Callable[..., Awaitable[Sequence[Any]]] = log.earliest if window.backwards else log.latest
    start: dict[str, int] = {} if place is None else {"after" if window.backwards else "before": place}
    found = await read(window.size + 1, **start)
    count: Callable[[], Awaitable[Counted]] = log.counted
    return windowed([(show(one), print_cursor(order, one.id)) for one in found], window, once(count))
