"""Hands back what a process that stops has leased, step by step: one that fails keeps no other back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


async def hand_back(*steps: Callable[[], Awaitable[None]]) -> None:
    """Take these steps one after the other. What isn't handed back is others' when its lease ends, so nothing is raised."""
    for step in steps:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are taken
            _log.warning("leases not handed back", extra={"error": error})
