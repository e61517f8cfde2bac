"""The log of what operators do: before it is done, whatever comes of it, and nothing of what others do."""

from __future__ import annotations

import pytest

from escrow import acts, database, pipeline, traces
from escrow.accounts import commands
from escrow.errors import DomainError
from tests.factories import Deployment

pytestmark = pytest.mark.usefixtures("database")


async def test_an_operators_command_is_noted_with_who_and_what_and_its_trace() -> None:
    there = await Deployment.make()
    known = {act.id for act in await acts.latest(1000)}
    await there.propose()  # a party's
    command = commands.AppointMediator(account_id=there.mediator.account_id or "")
    await pipeline.run(command, by=there.operator)
    (act,) = [act for act in await acts.latest(1000) if act.id not in known]
    assert (act.act, act.subject, act.code) == ("AppointMediator", there.mediator.account_id, None)
    assert (act.account_id, act.credential) == (there.operator.account_id, None)
    assert act.trace_id == traces.trace_id()
    assert act.ended_at is not None


async def test_what_was_refused_is_noted_too() -> None:
    there = await Deployment.make()
    with pytest.raises(DomainError) as refusal:
        await pipeline.run(commands.AppointMediator(account_id="acc_nobody"), by=there.operator)
    (act, *_) = await acts.latest(1)
    assert (act.act, act.subject, act.code) == ("AppointMediator", "acc_nobody", refusal.value.code)


async def test_what_was_cut_off_has_no_end_and_what_failed_has_its_kind() -> None:
    note = acts.noted("Something")
    await note.__aenter__()
    (begun,) = await acts.latest(1)
    assert (begun.act, begun.ended_at) == ("Something", None)
    with pytest.raises(ZeroDivisionError):
        async with acts.noted("Else"):
            _ = 1 / 0
    (failed,) = await acts.latest(1)
    assert failed.code == "ZeroDivisionError"
    assert [act.act for act in await acts.latest(1, before=failed.id)] == ["Something"]
    await note.__aexit__(None, None, None)


async def test_what_cant_be_noted_isnt_done(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await Deployment.make()

    async def away(*_: object) -> None:
        raise ConnectionRefusedError("nobody there")

    command = commands.AppointMediator(account_id=there.client.account_id or "")
    with monkeypatch.context() as patched:
        patched.setattr("escrow.acts.database.fetch_value", away)
        with pytest.raises(ConnectionRefusedError):
            await pipeline.run(command, by=there.operator)
    assert await database.fetch("SELECT FROM accounts WHERE id = $1 AND is_mediator", command.account_id) == []
