"""A step that fails keeps no other back, and a stop that is itself cut off ends there."""

from __future__ import annotations

import asyncio
import logging

import pytest

from escrow.handing_back import hand_back


async def test_a_step_that_fails_is_told_and_those_behind_it_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    taken = []

    async def fails() -> None:
        raise ConnectionError("away")

    async def succeeds() -> None:
        taken.append("behind it")

    with caplog.at_level(logging.WARNING):
        await hand_back(fails, succeeds)
    assert taken == ["behind it"]
    assert [record.message for record in caplog.records] == ["leases not handed back"]


async def test_whoever_is_cut_off_meanwhile_is() -> None:
    async def is_cut_off() -> None:
        raise asyncio.CancelledError

    async def is_never_reached() -> None:
        raise AssertionError

    with pytest.raises(asyncio.CancelledError):
        await hand_back(is_cut_off, is_never_reached)
