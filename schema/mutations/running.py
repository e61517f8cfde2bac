"""Runs every mutation: credentials, idempotency key, the command, and refusals as `userErrors`.

A mutation on a contract is a function from its input to its command, and `on_contract` makes a field of it; any other is
a function of a `Call` and its input that returns a payload, and `mutation` makes a field of that. Neither has a `try`.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar, overload

import strawberry
from strawberry.types.field import StrawberryField

from escrow import pipeline
from escrow.access import Actor, ActorKind, Scope
from escrow.accounts.commands import AccountCommand
from escrow.agreement.commands import PartyCommand
from escrow.errors import DomainError, ErrorCode, InvalidInput
from escrow.idempotency import Idempotency, idempotency
from schema.engine.context import Context, Info
from schema.engine.data_loaders import DataLoaders
from schema.engine.idempotent_directive import key_of, plain
from schema.types.change_requests import ChangeRequest, change_request_of
from schema.types.contracts import Contract, contract_found
from schema.types.disputes import Dispute, dispute_of
from schema.types.endpoints import WebhookEndpoint, endpoint_of
from schema.types.milestones import Milestone, milestone_found
from schema.user_errors import UserError

I = TypeVar("I")  # noqa: E741 - an input
P = TypeVar("P", bound="Payload")


@strawberry.type(description="What every mutation answers with, beside the objects that it changed.")
class Payload:
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why the mutation was refused; empty if it was done."
    )


@dataclass(slots=True)
class Call:
    """One mutation under way: who asks, and under which idempotency key."""

    context: Context
    actor: Actor
    idempotency: Idempotency | None
    replayed: bool = False

    @overload
    async def run(self, command: PartyCommand) -> pipeline.ContractOutcome: ...
    @overload
    async def run(self, command: AccountCommand) -> pipeline.AccountOutcome: ...
    async def run(self, command: PartyCommand | AccountCommand) -> pipeline.ContractOutcome | pipeline.AccountOutcome:
        """Carry out a command; refusals are raised."""
        outcome = await pipeline.run(command, by=self.actor, idempotency=self.idempotency)
        self.replayed = outcome.replayed
        return outcome


@dataclass(frozen=True, slots=True)
class OnContract(Generic[I]):
    """What a mutation on a contract asks for: the command that its input means."""

    name: str
    input_type: type[I]
    command_of: Callable[[I], PartyCommand]


COMMAND: Final = "command"
"""Under this name the metadata of a field that is a command on a contract hold its `OnContract`."""


Handler = Callable[["Call", I], Awaitable[P]]
Resolver = Callable[[Info, Handler[I, P], I, type[P]], Awaitable[P]]


def mutation(description: str) -> Callable[[Handler[I, P]], StrawberryField]:
    """A field of `Mutation` that takes one `input` and answers with the handler's payload, or with why it was refused."""
    return lambda handler: _of_handler(description, handler, _resolve)


def mutation_for_anybody(description: str) -> Callable[[Handler[I, P]], StrawberryField]:
    """The same for whoever asks, with or without credentials: the handler finds out who it is. It takes no idempotency key."""
    return lambda handler: _of_handler(description, handler, _resolve_for_anybody)


def _of_handler(description: str, handler: Handler[I, P], resolver: Resolver[I, P]) -> StrawberryField:
    hints = typing.get_type_hints(handler)
    (input_type,) = (hint for name, hint in hints.items() if name not in ("call", "return"))
    return _field(handler.__name__, description, input_type, hints["return"], handler, resolver=resolver)


def on_contract(
    description: str, answer: Callable[[Call, pipeline.ContractOutcome], Awaitable[P]]
) -> Callable[[Callable[[I], PartyCommand]], StrawberryField]:
    """A field of `Mutation` that carries out the command which the function makes of the input.

    It answers with the payload that `answer` makes of the outcome, or with why it was refused. `preview` takes it, too.
    """
    payload_type = typing.get_type_hints(answer)["return"]

    def make(command_of: Callable[[I], PartyCommand]) -> StrawberryField:
        (input_type,) = (hint for name, hint in typing.get_type_hints(command_of).items() if name != "return")

        async def handle(call: Call, given: I) -> P:
            return await answer(call, await call.run(command_of(given)))

        asked = OnContract(command_of.__name__, input_type, command_of)
        return _field(asked.name, description, input_type, payload_type, handle, metadata={COMMAND: asked})

    return make


def _field(
    name: str,
    description: str,
    input_type: Any,
    payload_type: type[P],
    handler: Handler[I, P],
    *,
    metadata: dict[str, object] | None = None,
    resolver: Resolver[I, P] | None = None,
) -> StrawberryField:
    async def resolve(info: Info, given: Any) -> Any:
        return await (resolver or _resolve)(info, handler, given, payload_type)

    argument = strawberry.argument(name="input", description="What to do, and to what.")
    resolve.__name__ = name
    resolve.__annotations__ = {"info": Info, "given": Annotated[input_type, argument], "return": payload_type}
    field = strawberry.field(resolver=resolve, description=description, metadata=metadata)
    return typing.cast("StrawberryField", field)


async def _resolve(info: Info, handler: Handler[I, P], given: I, payload_type: type[P]) -> P:
    context = info.context
    try:
        call = Call(context, await context.acting(), _idempotency(info, given))
        payload = await handler(call, given)
    except DomainError as refusal:
        return await _refused(payload_type, refusal, given, context)
    finally:
        # What was read before the command is old now, for the mutations that follow in the same operation.
        context.data_loaders = DataLoaders()
    if call.replayed:
        context.replayed.append(list(info.path.as_list()))
    return payload


async def _resolve_for_anybody(info: Info, handler: Handler[I, P], given: I, payload_type: type[P]) -> P:
    context = info.context
    try:
        if key_of(info) is not None:
            raise InvalidInput("This takes no idempotency key: keys belong to accounts.", field="idempotencyKey")
        context.has_acted = True
        return await handler(Call(context, context.actor or _NOBODY, None), given)
    except DomainError as refusal:
        return payload_type(user_errors=UserError.all_of(refusal))
    finally:
        context.data_loaders = DataLoaders()


_NOBODY: Final = Actor(ActorKind.ACCOUNT)
"""Whoever brought no credentials: an account of no name, to which nothing is allowed."""


def _idempotency(info: Info, given: object) -> Idempotency | None:
    """The key that came with the mutation, if one did."""
    key = key_of(info)
    return idempotency(key, operation=info.field_name, given=plain(given)) if key is not None else None


async def _refused(payload_type: type[P], refusal: DomainError, given: object, context: Context) -> P:
    """A payload that says why; after a version conflict it carries the object as it is now, if the key may read."""
    payload = payload_type(user_errors=UserError.all_of(refusal))
    if refusal.code is ErrorCode.VERSION_CONFLICT:
        for name, value in (await _current(given, context)).items():
            if hasattr(payload, name):
                setattr(payload, name, value)
    return payload


async def _current(given: object, context: Context) -> dict[str, Contract | Milestone | WebhookEndpoint | None]:
    """What a payload shows of the things that the input names, as they are now."""
    endpoint_id = getattr(given, "endpoint_id", None)
    if endpoint_id is not None:
        return {"webhook_endpoint": await endpoint_of(endpoint_id, context)}
    if Scope.CONTRACTS_READ not in context.known().scopes:
        return {}
    milestone_id = getattr(given, "milestone_id", None)
    milestone = await milestone_found(milestone_id, context) if milestone_id is not None else None
    contract_id = milestone.contract_id if milestone is not None else await _contract_id(given, context)
    contract = await contract_found(contract_id, context) if contract_id is not None else None
    return {"contract": contract, "milestone": milestone}


async def _contract_id(given: object, context: Context) -> str | None:
    """The contract that the input names, or that of what else it names."""
    for name, find in (("dispute_id", dispute_of), ("change_request_id", change_request_of)):
        named = getattr(given, name, None)
        if named is not None:
            found: Dispute | ChangeRequest | None = await find(named, context)
            return found.contract_id if found is not None else None
    return getattr(given, "contract_id", None)


def contract_after(outcome: pipeline.ContractOutcome) -> Contract:
    """The contract as the command left it, with its plan: nothing is read again."""
    return Contract.of(outcome.contract, version=outcome.version, plan=outcome.contract.milestones)


def milestone_after(outcome: pipeline.ContractOutcome) -> Milestone | None:
    """The milestone that the command was about, as it left it."""
    return milestone_held(outcome, outcome.result["milestone_id"])


def milestone_held(outcome: pipeline.ContractOutcome, milestone_id: str) -> Milestone | None:
    """A milestone of the contract as the command left it; `None` for one of a former revision that nobody named."""
    found = outcome.contract.milestone(milestone_id)
    if found is None:
        return None
    return Milestone.of(found, contract_id=outcome.contract.id, currency=outcome.contract.currency)
