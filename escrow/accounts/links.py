"""Writes the address that opens the console with a session: the code stands behind the `#`, so that no server ever sees it."""

from __future__ import annotations

from typing import Final

PATH: Final = "/console"

_base = ""


def use(base: str) -> None:
    """Write addresses of this deployment from now on: where people reach it, without a slash at its end."""
    global _base
    _base = base


def address(code: str, *, base: str | None = None) -> str:
    """The link for a code, at the deployment's own address unless another one is said."""
    return f"{_base if base is None else base}{PATH}#{code}"
