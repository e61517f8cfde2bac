"""The type of sessions, which the account itself and the operator see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.access import Scope
from escrow.accounts import queries
from escrow.accounts import state as accounts
from escrow.accounts.queries import SessionView
from schema.connections import Connection, Window
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Node, as_id
from schema.types.paging import pages_of


@strawberry.type(
    description="A browser that acts for an account for some hours, within what a key gave it. Its token was shown once and is "
    "not stored."
)
class Session(Node):
    account_id: strawberry.ID = strawberry.field(description="The account that it acts for.")
    member_id: strawberry.ID | None = strawberry.field(
        description="The member that it acts as; null if it acts as an owner, within its scopes."
    )
    scopes: list[Scope] = strawberry.field(description="What it may be used for.")
    contract_ids: list[strawberry.ID] | None = strawberry.field(
        description="The only contracts that it reaches; null if it reaches all of the account's."
    )
    origins: list[str] = strawberry.field(
        description="The origins of web pages that may use it, beside the deployment's own."
    )
    hint: str = strawberry.field(
        description="The last characters of its token, or of the link's code while that waits."
    )
    is_waiting: bool = strawberry.field(description="Whether it is a link that nobody has opened yet.")
    created_at: datetime = strawberry.field(description="When it was made.")
    created_by: strawberry.ID | None = strawberry.field(
        description="The key that made it, with which it ends; null if it was made by the command line."
    )
    expires_at: datetime = strawberry.field(
        description="When it stops working by itself, in real time; of a link that waits, until when it may be opened."
    )
    ended_at: datetime | None = strawberry.field(description="When it was ended before its time.")

    @classmethod
    def of(cls, session: accounts.Session, *, account_id: str) -> Session:
        limit = session.contract_ids
        return cls(
            id=strawberry.ID(session.id),
            account_id=strawberry.ID(account_id),
            member_id=as_id(session.member_id),
            scopes=list(session.scopes),
            contract_ids=[strawberry.ID(one) for one in limit] if limit is not None else None,
            origins=list(session.origins),
            hint=session.hint,
            is_waiting=session.is_waiting,
            created_at=session.created_at,
            created_by=as_id(session.created_by),
            expires_at=session.expires_at,
            ended_at=session.ended_at,
        )

    @classmethod
    def of_view(cls, view: SessionView) -> Session:
        return cls.of(view.session, account_id=view.account_id)


@data_loader
async def sessions_of(account_ids: Sequence[str], _: Context, window: Window) -> list[Connection[Session]]:
    """A page of the sessions of each account that the viewer sees whole, in the order in which they were made."""
    return await pages_of(
        queries.SESSIONS_LIVING, Session.of_view, account_ids, "account_id", order="sessions_pages", window=window
    )


@data_loader
async def session_of(session_ids: Sequence[str], context: Context) -> list[Session | None]:
    """Sessions that live by identifier, as far as the viewer may see them."""
    found = await queries.sessions_by_id(context.known(), list(dict.fromkeys(session_ids)))
    return [Session.of_view(found[one]) if one in found else None for one in session_ids]
