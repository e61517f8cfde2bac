"""Mutations on calendar tokens: making and revoking the address under which calendar programs find an account's dates."""

from __future__ import annotations

import strawberry

from escrow import calendars
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation


@strawberry.type(description="The token of a calendar feed.")
class CreateCalendarTokenPayload(Payload):
    token: str | None = optional(
        "What stands in the address `/calendar/{token}.ics`. Shown this once: null if an earlier call made it."
    )
    path: str | None = optional("The feed's path on this server, with the token; null with it.")


@strawberry.input(description="A new calendar feed.")
class CreateCalendarTokenInput:
    contract_ids: list[strawberry.ID] | None = optional(
        "The only contracts that it shows, at most 100; null for all that this key reaches."
    )


@mutation(
    "Makes the secret address of a calendar feed with the due dates and deadlines of the account's contracts, as far as this "
    "key may read them. Each member has one, and so have the account's own keys: making one anew ends the one before. It "
    "ends with the key that made it, and with the member."
)
async def create_calendar_token(call: Call, given: CreateCalendarTokenInput) -> CreateCalendarTokenPayload:
    made = await calendars.create_token(by=call.actor, contract_ids=given.contract_ids, idempotency=call.idempotency)
    call.replayed = made.replayed
    path = f"/calendar/{made.token}.ics" if made.token is not None else None
    return CreateCalendarTokenPayload(token=made.token, path=path)


@strawberry.type(description="Whether a calendar feed ended.")
class RevokeCalendarTokenPayload(Payload):
    revoked: bool | None = after("True once none is left that was to end")


@strawberry.input(description="Which calendar feeds end.")
class RevokeCalendarTokenInput:
    everybodys: bool = strawberry.field(
        default=False, description="Those of all members of the account, too. For its owners."
    )


@mutation(
    "Ends the calendar feed of this member, or of the account's own keys, at once. Where there is none it is no error."
)
async def revoke_calendar_token(call: Call, given: RevokeCalendarTokenInput) -> RevokeCalendarTokenPayload:
    call.replayed = await calendars.revoke_token(
        by=call.actor, everybodys=given.everybodys, idempotency=call.idempotency
    )
    return RevokeCalendarTokenPayload(revoked=True)
