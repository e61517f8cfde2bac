"""Keeps the secrets of couplings at rest: encrypted by the deployment's keys, each for its own coupling alone."""

from __future__ import annotations

from dataclasses import dataclass

from escrow import database
from escrow.vault import Undecipherable, vault


def seal(name: str, secrets: bytes) -> bytes:
    """As they are kept for the coupling of that name."""
    return vault().encrypt(secrets, purpose=_purpose(name))


def unseal(name: str, sealed: bytes) -> bytes:
    """What was sealed. Raises `Undecipherable`."""
    return vault().decrypt(sealed, purpose=_purpose(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """How secrets at rest stand, by what they are encrypted with."""

    current: int = 0
    older: int = 0
    unreadable: tuple[str, ...] = ()


async def survey(*, renew: bool = False) -> Sealed:
    """Look at the secrets of every coupling; with `renew` those under older keys are encrypted under the first."""
    current, older, unreadable = 0, 0, []
    for row in await database.fetch("SELECT name, secrets FROM couplings ORDER BY name"):
        name, sealed = row["name"], row["secrets"]
        try:
            opened = unseal(name, sealed)
        except Undecipherable:
            unreadable.append(name)
            continue
        if not vault().needs_renewal(sealed):
            current += 1
            continue
        older += 1
        if renew:
            anew = seal(name, opened)
            await database.execute(
                "UPDATE couplings SET secrets = $3 WHERE name = $1 AND secrets = $2", name, sealed, anew
            )
    return Sealed(current=current, older=older, unreadable=tuple(unreadable))


def _purpose(name: str) -> str:
    return f"secrets of the coupling {name}"
