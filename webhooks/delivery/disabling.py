"""When the service itself disables an endpoint: it answered that it is gone, or nothing got through for days.

The command is the account's own, so its owner hears of it as of any other event. It names the version of the endpoint that
failed: one that was changed meanwhile gets its chance.
"""

from __future__ import annotations

import logging

from escrow import pipeline
from escrow.access import SYSTEM
from escrow.accounts.commands.endpoints import DisableEndpoint
from escrow.accounts.state.endpoints import DisabledReason
from escrow.errors import DomainError

_log = logging.getLogger(__name__)


async def disable(endpoint_id: str, version: int, *, is_gone: bool) -> None:
    """Disable the endpoint as it was at `version`. Whoever finds it failing later asks again, so nothing is retried."""
    reason = DisabledReason.GONE if is_gone else DisabledReason.FAILING
    command = DisableEndpoint(endpoint_id=endpoint_id, reason=reason, expected_version=version)
    try:
        await pipeline.run(command, by=SYSTEM)
    except DomainError as refusal:
        _log.info("endpoint not disabled", extra={"endpoint": endpoint_id, "refusal": refusal.message})
    else:
        _log.warning("endpoint disabled", extra={"endpoint": endpoint_id, "reason": reason.value})
