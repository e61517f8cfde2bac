"""The mutation that sets the operator's fees."""

from __future__ import annotations

import strawberry

from escrow.accounts import commands
from schema.engine.fields import after
from schema.mutations.running import Call, Payload, mutation
from schema.types.contracts import Fees


@strawberry.type(description="The fees after the mutation.")
class SetFeesPayload(Payload):
    fees: Fees | None = after("What the operator takes")


@strawberry.input(description="What the operator takes, in basis points (hundredths of a percent).")
class SetFeesInput:
    client_basis_points: int = strawberry.field(description="From the client with each deposit, 0 to 10,000.")
    freelancer_basis_points: int = strawberry.field(description="From what is paid to the freelancer, 0 to 10,000.")


@mutation("Sets the fees of this deployment. Proposals and revisions from now on carry them. For the operator.")
async def set_fees(call: Call, given: SetFeesInput) -> SetFeesPayload:
    outcome = await call.run(
        commands.SetFees(client_bps=given.client_basis_points, freelancer_bps=given.freelancer_basis_points)
    )
    return SetFeesPayload(fees=Fees.of(outcome.account.fees))
