"""The guide: every call of its pages is played in their order, and answered as they say; only names and moments differ."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLScalarType

from earnest.api_client import Api
from earnest.demo.people import make_people
from escrow import database
from schema.build import executable
from tests.docs.product import ROOT
from tests.earnest.demo.test_demo import operator_key, web
from tests.workers.process import until, worker

GUIDE = ROOT / "docs" / "guide"
PAGES = ("accounts.md", "agreement.md", "work.md", "disputes.md")
KEYS_IN_ORDER = ("client", "freelancer", "mediator")
"""Whose keys the page about accounts makes."""

_CALL = re.compile(
    r"By the (\w+)'s key(, until the answer is this)?:\n\n```graphql\n(.*?)```\n"
    r"(?:\n```json variables\n(.*?)```\n)?\n```json answer\n(.*?)```",
    re.DOTALL,
)
_NAME = re.compile(r"[a-z]{2,3}_[0-7][0-9a-hjkmnp-tv-z]{25}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a page shows it."""

    who: str
    until: bool
    document: str
    variables: str
    answer: Any


def calls() -> Iterator[Call]:
    """All of them, in the order in which one reads."""
    for page in PAGES:
        for who, again, document, variables, answer in _CALL.findall((GUIDE / page).read_text()):
            yield Call(who, bool(again), document, variables or "{}", json.loads(answer))


class Reader:
    """Somebody who reads the guide and does what it says, with the names that they are told instead of those that stand there."""

    def __init__(self, url: str, operator: str) -> None:
        self._url = url
        self._keys = {"operator": operator}
        self._names: dict[str, str] = {}
        self._new_keys = iter(KEYS_IN_ORDER)

    async def play(self, call: Call) -> None:
        """Make the call and compare the answer: again until it is so where the page says that, else before the provider acts."""
        problem: str | None = None

        async def is_so() -> bool:
            nonlocal problem
            problem = await self._problem(call)
            return problem is None

        if call.until:
            await until(is_so, otherwise=lambda: str(problem))
            return
        await until(_nothing_is_on_its_way)
        async with _no_provider():
            assert await is_so(), problem

    async def _problem(self, call: Call) -> str | None:
        """What is wrong with the answer, if anything is."""
        given = json.loads(_NAME.sub(lambda found: self._names.get(found[0], found[0]), call.variables))
        answer = await Api(self._url, self._keys[call.who]).answer(call.document, given)
        answer.pop("extensions", None)
        difference = self._difference(call.answer, answer)
        return None if difference is None else f"{difference}\n{call.document}\n{answer}"

    def _difference(self, shown: Any, told: Any, at: str = "") -> str | None:
        """Where an answer is another than the page shows; names and keys that are new are remembered."""
        if isinstance(shown, dict) and isinstance(told, dict) and list(shown) == list(told):
            return next(
                (found for key in shown if (found := self._difference(shown[key], told[key], f"{at}.{key}"))), None
            )
        if isinstance(shown, list) and isinstance(told, list) and len(shown) == len(told):
            each = (
                self._difference(one, other, f"{at}.{index}")
                for index, (one, other) in enumerate(zip(shown, told, strict=True))
            )
            return next((found for found in each if found), None)
        if isinstance(shown, str) and isinstance(told, str) and self._means(shown, told):
            return None
        return None if shown == told and type(shown) is type(told) else f"{at} is {told!r}, not {shown!r}"

    def _means(self, shown: str, told: str) -> bool:
        if shown == "ek_…":
            self._keys[next(self._new_keys)] = told
            return told.startswith("ek_")
        if _MOMENT.fullmatch(shown):
            return _MOMENT.fullmatch(told) is not None
        names, others = _NAME.findall(shown), _NAME.findall(told)
        is_alike = len(names) == len(others) and _NAME.sub("", shown) == _NAME.sub("", told)
        return is_alike and all(
            self._names.setdefault(one, other) == other for one, other in zip(names, others, strict=True)
        )


async def _nothing_is_on_its_way() -> bool:
    """Whether the provider has done what it was asked for so far: who reads takes longer, and later calls count on it."""
    return not await database.fetch_value("SELECT EXISTS (SELECT FROM payment_orders WHERE state = 'STARTED')")


@asynccontextmanager
async def _no_provider() -> AsyncIterator[None]:
    """While the block lasts the sandbox's provider can't write its books, however quick the worker and slow the answer is."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        await connection.execute("LOCK TABLE sandbox_charges IN EXCLUSIVE MODE")
        yield


@pytest.fixture
async def reader(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Reader]:
    """Beside a deployment with a worker, as `make run` starts one: with the operator's fees."""
    async with (
        web(database, redis_url, tmp_path / "web.log") as url,
        worker(database, redis_url, tmp_path / "worker.log"),
    ):
        people = await make_people(url, await operator_key())
        yield Reader(url, people.operator.key)


async def test_every_call_of_the_guide_is_answered_as_it_says(reader: Reader) -> None:
    played = 0
    for call in calls():
        await reader.play(call)
        played += 1
    assert played == sum(page.read_text().count("```json answer") for page in GUIDE.glob("*.md")) > 30


@pytest.mark.parametrize("page", PAGES)
def test_every_step_stands_as_a_call_and_in_both_languages(page: str) -> None:
    steps = re.split(r"^## ", (GUIDE / page).read_text(), flags=re.MULTILINE)[1:]
    kinds = ("graphql", "json answer", "python", "ts")
    missing = [(step.splitlines()[0], kind) for step in steps for kind in kinds if f"\n```{kind}\n" not in step]
    assert not missing


def test_the_guide_covers_the_whole_job() -> None:
    said = " ".join(call.document for call in calls())
    job = (
        "createAccount createApiKey appointMediator proposeContract reviseContract acceptContract fundMilestone "
        "submitMilestone requestChanges approveMilestone requestRefund acceptRefund openDispute rejectClaim "
        "addEvidence offerSettlement decideDispute requestPayout endContract preview"
    )
    assert [name for name in job.split() if f" {name}(" not in said] == []


def test_every_scalar_has_its_line() -> None:
    said = (GUIDE / "scalars.md").read_text()
    own = {name for name, one in executable(sandbox=True).type_map.items() if isinstance(one, GraphQLScalarType)}
    assert [name for name in own - {"String", "Int", "Float", "Boolean"} if f"| `{name}` |" not in said] == []
