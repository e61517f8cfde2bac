"""The types of accounts and of the viewer; what concerns only the account itself is null for everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow import clock
from escrow.access import AccountType, ActorKind, Role, Scope
from escrow.accounts import queries
from escrow.accounts import state as accounts
from schema.compiled.declare import selected_of
from schema.connections import After, Before, Connection, First, Last, Window, once, window, windowed
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import resolved
from schema.scalars import print_cursor
from schema.types.common import Node, sees_whole
from schema.types.endpoints import WebhookEndpoint, endpoints_of
from schema.types.events import Event, timeline_of
from schema.types.keys import ApiKey, keys_of
from schema.types.members import Member, members_of
from schema.types.paging import place_of
from schema.types.payees import Payee, payee_of
from schema.types.sessions import Session, session_of, sessions_of


@strawberry.type(description="A party: an individual, a company or an agency.")
class Account(Node):
    name: str = strawberry.field(description="How it is called.")
    type: AccountType = strawberry.field(description="What kind of party it is.")
    is_operator: bool | None = strawberry.field(
        description="Whether it runs this deployment. Null for other accounts than one's own."
    )
    is_mediator: bool | None = strawberry.field(
        description="Whether the operator lets it decide disputes. Null for other accounts than one's own."
    )
    disabled_at: datetime | None = strawberry.field(
        description="Since when the operator bars it from new business. Null for other accounts than one's own."
    )
    points_per_second: int | None = strawberry.field(
        description="What each of its keys may use of the service, if the operator set it; null for what is granted to all, and "
        "for other accounts than one's own."
    )
    created_at: datetime | None = strawberry.field(
        description="When it was opened. Null for other accounts than one's own."
    )

    @resolved("The people who act for it now. Null unless it is the viewer's own, or for the operator.")
    async def members(self, info: Info) -> list[Member] | None:
        members = await members_of(self.id, info.context)
        await info.context.afford(len(members or ()))
        return members

    @resolved("Its keys that were not revoked, oldest first. Null unless it is the viewer's own, or for the operator.")
    async def api_keys(self, info: Info) -> list[ApiKey] | None:
        keys = await keys_of(self.id, info.context)
        await info.context.afford(len(keys or ()))
        return keys

    @resolved(
        "The browsers that act for it now, and the links that wait to be opened, oldest first. Null unless it is the viewer's "
        "own, or for the operator."
    )
    async def sessions(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Session] | None:
        page = window(first, after, last, before)
        return await sessions_of(self.id, info.context, page) if sees_whole(self.id, info.context) else None

    @resolved(
        "Where its events are sent, oldest first; a key that is limited to some contracts sees those for some of them. "
        "Null unless it is the viewer's own, or for the operator."
    )
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint] | None:
        info.context.webhook_manager()
        endpoints = await endpoints_of(self.id, info.context)
        await info.context.afford(len(endpoints or ()))
        return endpoints

    @resolved(
        "How the payment provider knows it: whether it can be paid, and what is missing. Null until somebody asked for it "
        "(`connectPayee`), and unless it is the viewer's own, or for the operator."
    )
    async def payee(self, info: Info) -> Payee | None:
        return await payee_of(self.id, info.context)

    @resolved("What happened to the account itself, in order. Null unless it is the viewer's own, or for the operator.")
    async def timeline(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Event] | None:
        page = window(first, after, last, before)
        if not sees_whole(self.id, info.context):
            return None
        return await timeline_of(self.id, info.context, page, selected_of(info))

    @classmethod
    def of(cls, view: queries.AccountView) -> Account:
        return cls(
            id=strawberry.ID(view.id),
            name=view.name,
            type=view.type,
            is_operator=view.is_operator,
            is_mediator=view.is_mediator,
            disabled_at=view.disabled_at,
            points_per_second=view.points_per_second,
            created_at=view.created_at,
        )

    @classmethod
    def of_state(cls, account: accounts.Account) -> Account:
        """The account as a command left it, whole: who may change it may see it."""
        return cls(
            id=strawberry.ID(account.id),
            name=account.name,
            type=account.type,
            is_operator=account.is_operator,
            is_mediator=account.is_mediator,
            disabled_at=account.disabled_at,
            points_per_second=account.points_per_second,
            created_at=account.created_at,
        )


@strawberry.type(description="Who is asking: the account, the key, and what it may do.")
class Viewer:
    kind: ActorKind = strawberry.field(description="An account, or the operator.")
    role: Role = strawberry.field(description="What the key may do for the account: its member's role, or owner.")
    scopes: list[Scope] = strawberry.field(description="What the key was made for.")
    account_id: strawberry.ID = strawberry.field(description="The account that the key acts for.")
    member_id: strawberry.ID | None = strawberry.field(description="The member that the key acts as, if it is one's.")
    key_id: strawberry.ID | None = strawberry.field(description="The key itself, if it is one.")
    session_id: strawberry.ID | None = strawberry.field(description="The session, if it is one instead of a key.")

    @resolved("The session, if it is one instead of a key.")
    async def session(self, info: Info) -> Session | None:
        return await session_of(self.session_id, info.context) if self.session_id is not None else None

    @resolved(
        "The time that it is for contracts: the database's clock and, in a sandbox, what the test clock was moved by. Deadlines "
        "run on it."
    )
    async def now(self) -> datetime:
        return await clock.now()

    @resolved("Whether this deployment is a sandbox: no money moves, and its test clock can be moved.")
    def is_sandbox(self, info: Info) -> bool:
        return info.context.sandbox

    @resolved("The account that the key acts for.")
    async def account(self, info: Info) -> Account:
        found = await account_of(self.account_id, info.context)
        if found is None:
            raise LookupError(f"the account {self.account_id} of a key that was just recognised is gone")
        return found


@data_loader
async def account_of(account_ids: Sequence[str], context: Context) -> list[Account | None]:
    """Accounts by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await queries.accounts_by_id(context.known(), list(dict.fromkeys(account_ids)))
    shown = {identifier: Account.of(view) for identifier, view in found.items()}
    return [shown.get(account_id) for account_id in account_ids]


async def accounts_list(context: Context, window: Window) -> Connection[Account]:
    """The operator's list of all accounts; everybody else finds their own."""
    actor = context.known()
    found = await queries.accounts_page(
        actor, first=window.size + 1, after=place_of(window.place, "accounts"), backwards=window.backwards
    )
    shown = [(Account.of(view), print_cursor("accounts", view.id)) for view in found]
    return windowed(shown, window, once(lambda: queries.accounts_counted(actor)))
