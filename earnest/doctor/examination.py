"""Looks at everything in turn. What can't be looked at is a finding, too; what hangs on a wrong variable is left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earnest.doctor import (
    addresses,
    clock_skew,
    database_server,
    identity_provider,
    kept_backups,
    machine,
    money_provider,
    own_webhook,
    redis_server,
    standby_server,
    tables_and_secrets,
)
from earnest.doctor.findings import Finding, Grade, in_a_line, wrong
from escrow.settings import POOL_CONNECTIONS_MAX, Settings, tortoise_config

CHECK_SECONDS: Final = 60.0
AGAIN: Final = "mend what is wrong above, and look again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The deployment that is looked at."""

    settings: Settings
    folder: Path
    """Where this machine keeps what it keeps."""
    free_min_bytes: int
    backups: Path | None = None
    """The folder of backups, where one is named."""
    wrong_variables: frozenset[str] = frozenset()
    is_built_in: bool = False
    """Whether its servers are ours alone, where we are the superuser."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at."""

    subject: str
    look: Callable[[Patient], Awaitable[Sequence[Finding]]]
    needs: frozenset[str] = frozenset()
    """The variables without which there is nothing to look at."""


async def _machine(patient: Patient) -> Sequence[Finding]:
    room = machine.disk(patient.folder, free_min_bytes=patient.free_min_bytes)
    return [*machine.python(), *machine.open_files(patient.settings), *room]


async def _postgres(patient: Patient) -> Sequence[Finding]:
    credentials = tortoise_config(patient.settings.database_url)["connections"]["default"]["credentials"]
    return await database_server.look(
        patient.settings.database_url,
        pool_size=int(credentials.get("maxsize", POOL_CONNECTIONS_MAX)),
        is_built_in=patient.is_built_in,
        keeps_backups=patient.backups is not None,
    )


async def _is_reached(patient: Patient) -> bool:
    """Whether PostgreSQL lets us in: if it doesn't, that is told once."""
    try:
        async with database_server.connected(patient.settings.database_url):
            pass
    except Exception:  # noqa: BLE001 - whatever it is, `_postgres` has said it
        return False
    return True


async def _tables(patient: Patient) -> Sequence[Finding]:
    return await tables_and_secrets.look(patient.settings) if await _is_reached(patient) else []


async def _standby(patient: Patient) -> Sequence[Finding]:
    """Of a standby whose primary can't be reached nothing can be told."""
    return await standby_server.look(patient.settings) if await _is_reached(patient) else []


async def _metrics(patient: Patient) -> Sequence[Finding]:
    return addresses.figures(patient.settings)


async def _backups(patient: Patient) -> Sequence[Finding]:
    return await asyncio.to_thread(kept_backups.look, patient.backups)


CHECKS: Final = (
    Check("machine", _machine),
    Check("PostgreSQL", _postgres, frozenset({"DATABASE_URL"})),
    Check("standby", _standby, frozenset({"DATABASE_URL", "EARNEST_READ_URL"})),
    Check("backups", _backups),
    Check("tables", _tables, frozenset({"DATABASE_URL", "EARNEST_SECRET_KEYS"})),
    Check("Redis", lambda patient: redis_server.look(patient.settings.redis_url), frozenset({"REDIS_URL"})),
    Check(
        "clocks",
        lambda patient: clock_skew.look(patient.settings.database_url, patient.settings.redis_url),
        frozenset({"DATABASE_URL", "REDIS_URL"}),
    ),
    Check("port", lambda patient: addresses.port(patient.settings), frozenset({"PORT", "EARNEST_HOST"})),
    Check("address", lambda patient: addresses.public(patient.settings), frozenset({"EARNEST_PUBLIC_URL"})),
    Check("metrics", _metrics, frozenset({"EARNEST_METRICS_TOKEN", "EARNEST_SANDBOX"})),
    Check(
        "provider",
        lambda patient: money_provider.look(patient.settings),
        frozenset({"EARNEST_PAYMENT_PROVIDER", "EARNEST_STRIPE_KEY"}),
    ),
    Check("identity", lambda patient: identity_provider.look(patient.settings), frozenset({"EARNEST_JWKS_URL"})),
    Check("webhooks", lambda patient: own_webhook.look(patient.settings), frozenset({"EARNEST_SECRET_KEYS"})),
)
"""In the order in which an operator would go through them."""


async def examine(patient: Patient, checks: Sequence[Check] = CHECKS) -> AsyncIterator[Finding]:
    """Everything that is found, as it is found."""
    for check in checks:
        if check.needs & patient.wrong_variables:
            continue
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                found = await check.look(patient)
        except Exception as error:  # noqa: BLE001 - whatever keeps us from looking is what an operator has to hear
            found = [
                wrong(
                    check.subject,
                    f"couldn't be looked at ({in_a_line(error)})",
                    AGAIN,
                )
            ]
        for finding in found:
            yield finding


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing is wrong."""
    return not any(finding.grade is Grade.WRONG for finding in findings)
