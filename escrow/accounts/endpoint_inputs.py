"""What the values of a command on webhook endpoints must be like. Each refusal is ``InvalidInput`` by field."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from escrow import log
from escrow.accounts.commands.endpoints import Address
from escrow.accounts.state.endpoints import API_VERSIONS, EVERY_TYPE, OVERLAP_MAX, Algorithm, SealedSecret
from escrow.agreement import inputs
from escrow.errors import InvalidInput, quoted

DESCRIPTION_MAX: Final = 1_000
URL_MAX: Final = 2_048
EVENT_TYPES_MAX: Final = 100
"""Keeps the event below 16 KiB; whoever wants more wants families, or all."""

_FAMILY_END: Final = ".*"


def url(address: Address) -> str:
    """The address, if whoever sends finds nothing wrong with it."""
    if address.fault is not None:
        raise InvalidInput(address.fault, field="url")
    return inputs.text(address.url, field="url", characters_max=URL_MAX)


def description(value: str) -> str:
    """What the endpoint is for; it may be empty."""
    return inputs.optional_text(value, field="description", characters_max=DESCRIPTION_MAX)


def event_types(values: Sequence[str] | None) -> tuple[str, ...]:
    """Types, families such as ``milestone.*``, or ``*`` for all: sorted, each once, without what another covers.

    What no event has is refused, naming the nearest that there is.
    """
    if values is None:
        return (EVERY_TYPE,)
    if not values:
        raise InvalidInput("Name at least one event type, or leave it out for all of them.", field="eventTypes")
    if len(values) > EVENT_TYPES_MAX:
        raise InvalidInput(
            f"At most {EVENT_TYPES_MAX} entries, not {len(values)}; a family such as milestone.* takes less.",
            field="eventTypes",
        )
    known = known_patterns()
    for index, value in enumerate(values):
        if value not in known:
            raise InvalidInput(_unknown(value, known), field=f"eventTypes.{index}")
    if EVERY_TYPE in values:
        return (EVERY_TYPE,)
    return tuple(sorted({value for value in values if value.endswith(_FAMILY_END) or family_of(value) not in values}))


def known_patterns() -> frozenset[str]:
    """Everything that an endpoint may ask for."""
    types = {kind for kind, _ in log.CATALOGUE}
    return frozenset(types | {family_of(kind) for kind in types} | {EVERY_TYPE})


def family_of(event_type: str) -> str:
    """``milestone.*`` for ``milestone.released``."""
    return event_type.partition(".")[0] + _FAMILY_END


def _unknown(value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value[:100].strip().lower(), sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "the query eventTypes lists all of them; * stands for all."
    return f"There is no event type {quoted(value)}; {hint}"


def api_version(value: str | None) -> str:
    """One of the versions that this release sends; the latest unless said."""
    if value is None:
        return API_VERSIONS[-1]
    if value not in API_VERSIONS:
        raise InvalidInput(
            f"There is no API version {quoted(value)}; there is {', '.join(API_VERSIONS)}.", field="apiVersion"
        )
    return value


def overlap(value: timedelta) -> timedelta:
    """For how long the secrets before go on signing: none to a month."""
    if not timedelta(0) <= value <= OVERLAP_MAX:
        raise InvalidInput(f"The overlap is 0 seconds to {OVERLAP_MAX.days} days.", field="overlap")
    return value


def secrets(offered: Sequence[SealedSecret], algorithms: Iterable[Algorithm]) -> tuple[SealedSecret, ...]:
    """The offered secrets of these algorithms, at least one."""
    wanted = set(algorithms)
    if not wanted:
        raise InvalidInput("Name at least one algorithm.", field="algorithms")
    return tuple(secret for secret in offered if secret.facts.algorithm in wanted)
