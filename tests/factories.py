"""Deployments, accounts and contracts for tests on a real database, made by the commands that anybody uses.

They need the `database` fixture, or a connection of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Final

from escrow import database, ids, pipeline, vault
from escrow.access import PROVIDER, AccountType, Actor, ActorKind, Scope
from escrow.accounts import commands as account_commands
from escrow.accounts.commands import endpoints
from escrow.accounts.state.endpoints import Algorithm
from escrow.agreement import commands as c
from escrow.agreement.state import Attachment
from escrow.ids import Kind
from escrow.money import Money, RawMoney
from escrow.pipeline import ContractOutcome, run
from tests.prepared import prepared
from webhooks.request import secrets

DUE_ON: Final = date(2100, 1, 1)
SECRET_KEY: Final = bytes(range(32))
"""Encrypts the secrets of endpoints in tests."""

PARTY_SCOPES: Final = frozenset(Scope) - {Scope.OPERATOR}


def party(account_id: str) -> Actor:
    """An owner of an account, with a key for everything that parties do."""
    return Actor(ActorKind.ACCOUNT, account_id, ids.new(Kind.KEY), scopes=PARTY_SCOPES)


def usd(amount: str) -> RawMoney:
    return RawMoney(Decimal(amount), "USD")


def draft(title: str = "Wireframe", amount: str = "250.00", currency: str = "USD") -> c.MilestoneDraft:
    return c.MilestoneDraft(
        id=ids.new(Kind.MILESTONE),
        title=title,
        purpose="So that everybody sees where it goes",
        amount=RawMoney(Decimal(amount), currency),
        due_on=DUE_ON,
        deliverables=("One page", "Its source"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Who there is: the operator, a mediator, and two parties."""

    operator: Actor
    mediator: Actor
    client: Actor
    freelancer: Actor

    @classmethod
    async def make(cls, *, client_bps: int = 250, freelancer_bps: int = 1000) -> Deployment:
        """A deployment with fees (in basis points), where disputes can be decided."""
        return await prepared((client_bps, freelancer_bps), lambda: cls._made(client_bps, freelancer_bps))

    @classmethod
    async def beside(cls) -> Deployment:
        """Other people on a deployment that has an operator already."""
        return await cls._among(await database.fetch_value("SELECT id FROM accounts WHERE is_operator"))

    @classmethod
    async def _made(cls, client_bps: int, freelancer_bps: int) -> Deployment:
        operator_id = ids.new(Kind.ACCOUNT)
        founder = Actor(ActorKind.OPERATOR)
        await pipeline.run(account_commands.CreateOperator(account_id=operator_id, name="Earnest"), by=founder)
        there = await cls._among(operator_id)
        fees = account_commands.SetFees(client_bps=client_bps, freelancer_bps=freelancer_bps)
        await pipeline.run(fees, by=there.operator)
        return there

    @classmethod
    async def _among(cls, operator_id: str) -> Deployment:
        mediator_id, client_id, freelancer_id = (ids.new(Kind.ACCOUNT) for _ in range(3))
        operator = Actor(ActorKind.OPERATOR, operator_id, scopes=frozenset({Scope.OPERATOR, Scope.DISPUTES_DECIDE}))
        for account_id, name, kind in (
            (mediator_id, "Mo", AccountType.INDIVIDUAL),
            (client_id, "Corner Shop", AccountType.COMPANY),
            (freelancer_id, "Zoë 工房", AccountType.AGENCY),
        ):
            creation = account_commands.CreateAccount(account_id=account_id, name=name, type=kind)
            await pipeline.run(creation, by=operator)
        await pipeline.run(account_commands.AppointMediator(account_id=mediator_id), by=operator)
        return cls(
            operator=operator,
            mediator=replace(party(mediator_id), is_mediator=True),
            client=party(client_id),
            freelancer=party(freelancer_id),
        )

    def proposal(self, *amounts: str, currency: str = "USD") -> c.Propose:
        """The command that proposes a contract with a milestone for each amount."""
        plan = tuple(
            draft(f"Milestone {number}", amount, currency)
            for number, amount in enumerate(amounts or ("250.00", "500.00"), start=1)
        )
        return c.Propose(
            contract_id=ids.new(Kind.CONTRACT),
            client_id=self.client.account_id or "",
            freelancer_id=self.freelancer.account_id or "",
            terms=c.Terms(title="A website", description="With a shop", currency=currency),
            plan=plan,
            message="Shall we?",
        )

    async def propose(self, *amounts: str, currency: str = "USD") -> Deal:
        """A contract that the client proposed; it is the freelancer's turn."""
        command = self.proposal(*amounts, currency=currency)
        await run(command, by=self.client)
        return Deal(
            id=command.contract_id,
            client=self.client,
            freelancer=self.freelancer,
            milestone_ids=[milestone.id for milestone in command.plan],
        )

    async def activate(self, *amounts: str, currency: str = "USD") -> Deal:
        """A contract on which both agreed."""
        deal = await self.propose(*amounts, currency=currency)
        await deal.accept()
        return deal

    async def fund(self, *amounts: str, currency: str = "USD") -> Deal:
        """An active contract whose first milestone is under way."""
        deal = await self.activate(*amounts, currency=currency)
        await deal.confirm(await deal.fund())
        return deal


@dataclass(slots=True, kw_only=True)
class Deal:
    """One contract, and its commands in short; milestones by position, from 1."""

    id: str
    client: Actor
    freelancer: Actor
    milestone_ids: list[str]
    deposits: dict[str, Money] = field(default_factory=dict)

    def milestone(self, position: int = 1) -> str:
        return self.milestone_ids[position - 1]

    async def accept(self, *, revision: int = 1) -> ContractOutcome:
        return await run(c.Accept(contract_id=self.id, revision=revision), by=self.freelancer)

    async def fund(
        self,
        position: int = 1,
        *,
        token: str | None = "tok_ok",  # noqa: S107 - of the sandbox, whose worker may be quicker than `confirm`
        revision: int | None = None,
    ) -> str:
        """Starts a deposit; gives its id."""
        command = c.Fund(
            milestone_id=self.milestone(position),
            deposit_id=ids.new(Kind.DEPOSIT),
            order_id=ids.new(Kind.ORDER),
            payment_token=token,
            revision=revision,
        )
        outcome = await run(command, by=self.client)
        contract = outcome.contract
        self.deposits[command.deposit_id] = contract.money(contract.deposits[command.deposit_id].charge_minor)
        return command.deposit_id

    async def confirm(self, deposit_id: str, amount: Money | None = None) -> ContractOutcome:
        """The provider says that it took the charge, or `amount`."""
        return await run(self.confirmation(deposit_id, amount), by=PROVIDER)

    def confirmation(self, deposit_id: str, amount: Money | None = None) -> c.ConfirmDeposit:
        taken = amount or self.deposits[deposit_id]
        return c.ConfirmDeposit(contract_id=self.id, deposit_id=deposit_id, amount=taken)

    async def submit(self, position: int = 1) -> ContractOutcome:
        return await run(self.submission(position), by=self.freelancer)

    def submission(self, position: int = 1) -> c.Submit:
        return c.Submit(
            milestone_id=self.milestone(position),
            submission_id=ids.new(Kind.SUBMISSION),
            message="Here it is",
            links=("https://example.com/work",),
            attachments=(Attachment("work.pdf", "a" * 64),),
        )

    async def approve(self, position: int = 1) -> ContractOutcome:
        return await run(c.Approve(milestone_id=self.milestone(position), message="Thank you"), by=self.client)

    async def request_changes(self, position: int = 1) -> ContractOutcome:
        return await run(c.RequestChanges(milestone_id=self.milestone(position), note="Bluer"), by=self.client)

    async def pay_out(self) -> str:
        """Asks for all that is payable; gives the order's id."""
        command = c.RequestPayout(contract_id=self.id, order_id=ids.new(Kind.ORDER))
        await run(command, by=self.freelancer)
        return command.order_id

    async def confirm_order(self, order_id: str) -> ContractOutcome:
        return await run(c.ConfirmOrder(contract_id=self.id, order_id=order_id), by=PROVIDER)

    async def fail_order(self, order_id: str) -> ContractOutcome:
        return await run(c.FailOrder(contract_id=self.id, order_id=order_id, reason="account closed"), by=PROVIDER)

    async def fund_all(self, *, revision: int = 1) -> str:
        """Starts one deposit for all planned milestones, and confirms it; gives its id."""
        command = c.FundContract(
            contract_id=self.id, deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER), revision=revision
        )
        contract = (await run(command, by=self.client)).contract
        charge = contract.money(contract.deposits[command.deposit_id].charge_minor)
        self.deposits[command.deposit_id] = charge
        await self.confirm(command.deposit_id)
        return command.deposit_id

    async def request_refund(self, position: int = 1, *, amount: str | None = None) -> str:
        """The client asks for what a milestone holds, or part of it; gives the request's id."""
        command = c.RequestRefund(
            milestone_id=self.milestone(position),
            refund_id=ids.new(Kind.REFUND_REQUEST),
            amount=usd(amount) if amount is not None else None,
            message="It is late",
        )
        await run(command, by=self.client)
        return command.refund_id

    async def decline_refund(self, refund_id: str) -> str:
        """The freelancer answers with a dispute, which begins in mediation; gives its id."""
        command = c.DeclineRefund(refund_id=refund_id, dispute_id=ids.new(Kind.DISPUTE), reason="It was done in time")
        await run(command, by=self.freelancer)
        return command.dispute_id

    async def open_dispute(self, position: int = 1, *, claim: str = "100.00", by: Actor | None = None) -> str:
        """A side, by default the client, claims how much should go to the freelancer; gives the dispute's id."""
        command = c.OpenDispute(
            milestone_id=self.milestone(position),
            dispute_id=ids.new(Kind.DISPUTE),
            claim=usd(claim),
            reason="Half of it is missing",
        )
        await run(command, by=by or self.client)
        return command.dispute_id

    async def mediate(self, position: int = 1) -> str:
        """A dispute of the client's that the freelancer rejected; gives its id."""
        dispute_id = await self.open_dispute(position)
        await run(c.RejectClaim(dispute_id=dispute_id, message="No"), by=self.freelancer)
        return dispute_id

    def evidence(self, dispute_id: str) -> c.AddEvidence:
        return c.AddEvidence(
            dispute_id=dispute_id,
            text="See for yourself",
            links=("https://example.com/proof",),
            attachments=(Attachment("proof.png", "b" * 64),),
        )

    def filing(self, *changes: c.RequestedChange) -> c.FileChangeRequest:
        """The freelancer's request, by default to add, edit, move and remove."""
        return c.FileChangeRequest(
            contract_id=self.id,
            change_request_id=ids.new(Kind.CHANGE_REQUEST),
            changes=changes
            or (c.EditChange(milestone_id=self.milestone(2), title="Less"), c.AddChange(milestone=draft("More"))),
            message="It turned out otherwise",
        )

    async def file(self, *changes: c.RequestedChange) -> str:
        command = self.filing(*changes)
        await run(command, by=self.freelancer)
        return command.change_request_id

    def update(self, position: int | None = None) -> c.PostUpdate:
        return c.PostUpdate(
            contract_id=self.id,
            message="Half way through",
            milestone_id=self.milestone(position) if position is not None else None,
            links=("https://example.com/draft",),
            attachments=(Attachment("draft.png", "c" * 64),),
        )

    async def reverse(self, deposit_id: str) -> ContractOutcome:
        """The provider took a deposit back that had come."""
        return await run(self.reversal(deposit_id), by=PROVIDER)

    def reversal(self, deposit_id: str) -> c.ReverseDeposit:
        amount = self.deposits[deposit_id]
        return c.ReverseDeposit(contract_id=self.id, deposit_id=deposit_id, amount=amount, reason="stolen card")

    async def types(self) -> list[str]:
        """The types of the contract's events, in order."""
        rows = await database.fetch("SELECT type FROM events WHERE stream_id = $1 ORDER BY sequence", self.id)
        return [row["type"] for row in rows]

    async def states(self) -> list[str]:
        """The states of the current revision's milestones, by position."""
        rows = await database.fetch(
            "SELECT milestones.state FROM milestones JOIN contracts ON contracts.id = contract_id "
            "WHERE contract_id = $1 AND milestones.revision = contracts.revision ORDER BY position",
            self.id,
        )
        return [row["state"] for row in rows]


async def advance_clock(**by: float) -> None:
    """Move domain time on: `advance_clock(days=14)`; it never goes back."""
    spelled = " ".join(f"{value} {unit}" for unit, value in by.items())
    await database.execute(f"UPDATE deployment SET clock_offset = clock_offset + interval '{spelled}'")


@dataclass(frozen=True, slots=True)
class MadeEndpoint:
    """An endpoint that was just made; `secret` is what its owner was shown, if it signs with HMAC."""

    id: str
    secret: str


async def make_endpoint(
    by: Actor,
    url: str = "https://hooks.example.com/earnest",
    *,
    event_types: tuple[str, ...] | None = None,
    contract_ids: tuple[str, ...] | None = None,
    algorithms: tuple[Algorithm, ...] = (Algorithm.HMAC_SHA256,),
    account_id: str | None = None,
) -> MadeEndpoint:
    """An endpoint of the actor's account, or of another if the actor is the operator."""
    vault.use([SECRET_KEY])
    endpoint_id = ids.new(Kind.ENDPOINT)
    made = secrets.make(algorithms, endpoint_id=endpoint_id)
    creation = endpoints.CreateEndpoint(
        account_id=account_id or by.account_id or "",
        endpoint_id=endpoint_id,
        address=endpoints.Address(url),
        secrets=tuple(secret.sealed for secret in made),
        event_types=event_types,
        limit=endpoints.Limit(contract_ids),
    )
    await pipeline.run(creation, by=by)
    return MadeEndpoint(endpoint_id, next((secret.text for secret in made if secret.text is not None), ""))


async def advance_past_deadlines() -> None:
    """Move domain time to just after the last running clock of any contract."""
    await database.execute(
        "UPDATE deployment SET clock_offset = greatest(clock_offset, "
        "(SELECT max(due_at) FROM deadlines) - clock_timestamp() + interval '1 second')"
    )
