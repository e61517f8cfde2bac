"""A deployment with an operator, a mediator, a client and a freelancer, and contracts between them, through the commands.

It needs a database to be connected, and goes only the ways that anybody goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from escrow import commands, ids
from escrow.access import AccountType, Actor, ActorKind, Scope
from escrow.accounts import commands as accounts
from escrow.accounts import running
from escrow.agreement import commands as c
from escrow.database import Record, fetch, fetch_row, fetch_value
from escrow.ids import Kind
from escrow.money import RawMoney

DUE_ON: Final = date(2100, 1, 1)
ALL_SCOPES: Final = frozenset(Scope)


def party(account_id: str) -> Actor:
    return Actor(ActorKind.ACCOUNT, account_id, scopes=ALL_SCOPES - {Scope.OPERATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """An active contract and who made it."""

    id: str
    client: Actor
    freelancer: Actor
    milestone_ids: tuple[str, ...]

    async def fund(self, token: str | None = None, *, position: int = 1) -> str:
        """Starts the deposit for a milestone; gives the order's id."""
        order_id = ids.new(Kind.ORDER)
        command = c.Fund(
            milestone_id=self.milestone_ids[position - 1],
            deposit_id=ids.new(Kind.DEPOSIT),
            order_id=order_id,
            payment_token=token,
        )
        await commands.run(command, by=self.client)
        return order_id

    async def cancel(self, *, position: int = 1) -> None:
        await commands.run(c.CancelFunding(milestone_id=self.milestone_ids[position - 1]), by=self.client)

    async def approve(self, *, position: int = 1) -> None:
        await commands.run(c.Approve(milestone_id=self.milestone_ids[position - 1]), by=self.client)

    async def request_payout(self, amount: str | None = None) -> str:
        order_id = ids.new(Kind.ORDER)
        raw = None if amount is None else RawMoney(Decimal(amount), "USD")
        await commands.run(c.RequestPayout(contract_id=self.id, order_id=order_id, amount=raw), by=self.freelancer)
        return order_id

    async def milestone_state(self, position: int = 1) -> str:
        return str(await fetch_value("SELECT state FROM milestones WHERE id = $1", self.milestone_ids[position - 1]))

    async def events(self, *types: str) -> list[str]:
        """The types of the contract's events in order, only those named if any is."""
        rows = await fetch("SELECT type FROM events WHERE stream_id = $1 ORDER BY sequence", self.id)
        return [row["type"] for row in rows if not types or row["type"] in types]

    async def balance(self, account: str) -> int:
        """Credits less debits of a ledger account, from the transfers; accounts of the contract are short: `payable`."""
        sql = """
            SELECT coalesce(sum(CASE WHEN credit LIKE $2 THEN amount_minor ELSE 0 END)
                          - sum(CASE WHEN debit LIKE $2 THEN amount_minor ELSE 0 END), 0)::bigint
            FROM transfers WHERE contract_id = $1
        """
        return int(await fetch_value(sql, self.id, f"{account}:%"))


async def order(order_id: str) -> Record:
    row = await fetch_row("SELECT * FROM payment_orders WHERE id = $1", order_id)
    assert row is not None
    return row


async def charge(order_id: str) -> Record | None:
    """What the sandbox's books say of an order."""
    return await fetch_row("SELECT * FROM sandbox_charges WHERE idempotency_key = $1", order_id)


async def make_due(order_id: str) -> None:
    """As if the time had come, or the lease had ended."""
    await fetch("UPDATE payment_orders SET due_at = now() WHERE id = $1", order_id)


async def strike(*amounts: str) -> Deal:
    """A deployment, and an active contract in USD with milestones of these amounts."""
    operator = Actor(ActorKind.OPERATOR, ids.new(Kind.ACCOUNT), scopes=ALL_SCOPES)
    assert operator.account_id is not None
    if await fetch_value("SELECT count(*) FROM accounts") == 0:
        await running.run(accounts.CreateOperator(account_id=operator.account_id, name="Operator"), by=operator)
        mediator_id = await _open(operator, "Mediator")
        await running.run(accounts.AppointMediator(account_id=mediator_id), by=operator)
    client, freelancer = party(await _open(operator, "Client")), party(await _open(operator, "Freelancer"))
    assert client.account_id is not None
    assert freelancer.account_id is not None
    plan = tuple(_milestone(amount) for amount in amounts)
    proposal = c.Propose(
        contract_id=ids.new(Kind.CONTRACT),
        client_id=client.account_id,
        freelancer_id=freelancer.account_id,
        terms=c.Terms(title="A website", description="Of five pages", currency="USD"),
        plan=plan,
    )
    await commands.run(proposal, by=client)
    await commands.run(c.Accept(contract_id=proposal.contract_id, revision=1), by=freelancer)
    return Deal(
        id=proposal.contract_id,
        client=client,
        freelancer=freelancer,
        milestone_ids=tuple(milestone.id for milestone in plan),
    )


async def _open(operator: Actor, name: str) -> str:
    account_id = ids.new(Kind.ACCOUNT)
    command = accounts.CreateAccount(account_id=account_id, name=name, type=AccountType.AGENCY)
    await running.run(command, by=operator)
    return account_id


def _milestone(amount: str) -> c.MilestoneDraft:
    return c.MilestoneDraft(
        id=ids.new(Kind.MILESTONE),
        title="A page",
        purpose="It is read",
        amount=RawMoney(Decimal(amount), "USD"),
        due_on=DUE_ON,
        deliverables=("The page",),
    )
