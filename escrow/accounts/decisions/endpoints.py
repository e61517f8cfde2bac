"""Decides on webhook endpoints: who may manage one, and what comes of it.

The order of refusals is that of all commands on accounts; another version comes before an object that is not found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from escrow import ids
from escrow.access import Actor, ActorKind
from escrow.accounts import events, inputs
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.decisions.base import Context, Decisions, Events, check_contracts_exist, no_such_contract, there
from escrow.accounts.rules import forbidden, is_operator
from escrow.accounts.state import Account
from escrow.accounts.state.endpoints import ENDPOINTS_MAX, SECRETS_MAX, DisabledReason, Endpoint
from escrow.errors import Forbidden, InvalidState, NotFound, VersionConflict


def entitle(state: Account | None, command: commands.EndpointCommand, actor: Actor) -> None:
    """Refuses an actor that doesn't see the endpoint or that may not ask for this, whatever its state.

    The account of a new endpoint was found by then.
    """
    if isinstance(command, commands.CreateEndpoint):
        if refusal := forbidden(command.action, state, actor):
            raise refusal
        _within_the_key(command.limit.contract_ids, actor)
        return
    account, endpoint = found(state, command.endpoint_id, actor)
    if isinstance(command, commands.DisableEndpoint):
        _reasons_are_whose_they_are(command.reason, actor)
        if actor.kind is ActorKind.SYSTEM:
            return
    if refusal := forbidden(command.action, account, actor):
        raise refusal
    if actor.contract_ids is not None and not (
        endpoint.contract_ids and actor.contract_ids.issuperset(endpoint.contract_ids)
    ):
        raise Forbidden("This key is limited to some contracts; it manages only endpoints limited to some of those.")
    if isinstance(command, commands.UpdateEndpoint) and command.limit is not None:
        _within_the_key(command.limit.contract_ids, actor)


def found(state: Account | None, endpoint_id: str, actor: Actor) -> tuple[Account, Endpoint]:
    """The endpoint with its account, if it exists for the actor: its own, any for the operator and for the service."""
    sees = state is not None and (is_operator(actor) or actor.kind is ActorKind.SYSTEM or state.id == actor.account_id)
    endpoint = state.endpoints.get(endpoint_id) if state is not None and sees else None
    if state is None or endpoint is None:
        raise NotFound(f"There is no endpoint {endpoint_id}.", field="endpointId")
    return state, endpoint


def _within_the_key(contract_ids: tuple[str, ...] | None, actor: Actor) -> None:
    if actor.contract_ids is None:
        return
    if contract_ids is None:
        raise Forbidden(
            "This key is limited to some contracts; limit the endpoint to some of those.", field="contractIds"
        )
    for index, contract_id in enumerate(contract_ids):
        if contract_id not in actor.contract_ids:
            raise no_such_contract(contract_id, index)


def _reasons_are_whose_they_are(reason: DisabledReason, actor: Actor) -> None:
    if (reason is DisabledReason.REQUESTED) is (actor.kind is ActorKind.SYSTEM):
        raise Forbidden(f"An endpoint is not disabled as {reason} by {actor.kind.value.lower()}.")


def _create(state: Account | None, command: commands.CreateEndpoint, context: Context) -> Events:
    account = there(state)
    check_contracts_exist(command.limit.contract_ids, context.around)
    if len(account.present_endpoints) >= ENDPOINTS_MAX:
        raise InvalidState(f"An account has at most {ENDPOINTS_MAX} endpoints; delete some first.")
    if command.endpoint_id in account.endpoints:
        raise InvalidState(f"There is an endpoint {command.endpoint_id} already.")
    secrets = inputs.secrets(command.secrets, (secret.facts.algorithm for secret in command.secrets))
    return (
        events.EndpointCreated(
            endpoint_id=inputs.identifier(ids.Kind.ENDPOINT, command.endpoint_id, field="endpointId"),
            url=inputs.url(command.address),
            description=inputs.description(command.description),
            event_types=inputs.event_types(command.event_types),
            contract_ids=inputs.contract_ids(command.limit.contract_ids),
            api_version=inputs.api_version(command.api_version),
            secrets=tuple(secret.facts for secret in secrets),
        ),
    )


def _update(state: Account | None, command: commands.UpdateEndpoint, context: Context) -> Events:
    _, before = found(state, command.endpoint_id, context.actor)
    _is_at(before, command.expected_version)
    if command.limit is not None:
        check_contracts_exist(command.limit.contract_ids, context.around)
    _present(before)
    after = before
    if command.address is not None:
        after = replace(after, url=inputs.url(command.address))
    if command.description is not None:
        after = replace(after, description=inputs.description(command.description))
    if command.event_types is not None:
        after = replace(after, event_types=inputs.event_types(command.event_types))
    if command.limit is not None:
        after = replace(after, contract_ids=inputs.contract_ids(command.limit.contract_ids))
    if command.api_version is not None:
        after = replace(after, api_version=inputs.api_version(command.api_version))
    if after == before:
        return ()
    return (
        events.EndpointChanged(
            endpoint_id=after.id,
            event_types=after.event_types,
            contract_ids=after.contract_ids,
            api_version=after.api_version,
            url=after.url if after.url != before.url else None,
            description=after.description if after.description != before.description else None,
        ),
    )


def _enable(state: Account | None, command: commands.EnableEndpoint, context: Context) -> Events:
    endpoint = _present(found(state, command.endpoint_id, context.actor)[1])
    return () if endpoint.disabled_at is None else (events.EndpointEnabled(endpoint_id=endpoint.id),)


def _disable(state: Account | None, command: commands.DisableEndpoint, context: Context) -> Events:
    endpoint = found(state, command.endpoint_id, context.actor)[1]
    _is_at(endpoint, command.expected_version)
    if _present(endpoint).disabled_at is not None:
        return ()
    return (events.EndpointDisabled(endpoint_id=endpoint.id, reason=command.reason),)


def _delete(state: Account | None, command: commands.DeleteEndpoint, context: Context) -> Events:
    endpoint = found(state, command.endpoint_id, context.actor)[1]
    return () if endpoint.deleted_at is not None else (events.EndpointDeleted(endpoint_id=endpoint.id),)


def _rotate(state: Account | None, command: commands.RotateSecret, context: Context) -> Events:
    endpoint = _present(found(state, command.endpoint_id, context.actor)[1])
    algorithms = endpoint.algorithms if command.algorithms is None else command.algorithms
    secrets = inputs.secrets(command.secrets, algorithms)
    forgotten = [secret for secret in endpoint.secrets if not secret.signs(context.around.real_now)]
    # Without an overlap those that are replaced sign no more, either.
    going_on = [one for one in endpoint.secrets if one not in forgotten and (command.overlap or one.expires_at)]
    if len(going_on) + len(secrets) > SECRETS_MAX:
        raise InvalidState(
            f"At most {SECRETS_MAX} secrets sign at one time; wait until the overlap of an earlier rotation is over, "
            "or rotate with an overlap of 0 seconds."
        )
    return (
        events.EndpointSecretRotated(
            endpoint_id=endpoint.id,
            secrets=tuple(secret.facts for secret in secrets),
            overlap_until=context.around.real_now + inputs.overlap(command.overlap),
            forgotten=tuple(secret.facts.fingerprint for secret in forgotten),
        ),
    )


def _is_at(endpoint: Endpoint, version: int | None) -> None:
    if version is not None and version != endpoint.version:
        raise VersionConflict(
            f"The endpoint is at version {endpoint.version}, not {version}.",
            field="expectedVersion",
            details={"version": endpoint.version},
        )


def _present(endpoint: Endpoint) -> Endpoint:
    if endpoint.deleted_at is not None:
        raise InvalidState("This endpoint was deleted; make a new one.", field="endpointId")
    return endpoint


DECISIONS: Final[Decisions] = {
    commands.CreateEndpoint: _create,
    commands.UpdateEndpoint: _update,
    commands.EnableEndpoint: _enable,
    commands.DisableEndpoint: _disable,
    commands.DeleteEndpoint: _delete,
    commands.RotateSecret: _rotate,
}
