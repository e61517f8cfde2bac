"""A contract of Earnest over the public API, with a key as anybody has it: it needs no access to Earnest's own database."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from connectors.http_calls import Calls
from connectors.port import BeyondTheLog, Moved, Refused, ToolError, ToolRefused
from connectors.sides import OVER, Field, Ours, OurSide, Values, canonical

_ITEM: Final = """fragment Item on Milestone {
  id revision position state title purpose dueOn updatedAt amount { amount } externalReferences { system externalId } }"""

CONTRACT: Final = f"""query Plan($id: ID!, $after: Cursor) {{ contract(id: $id) {{
  state currency revision planVersion clientId
  milestones {{ ... Item }}
  changeRequests(first: 100, after: $after) {{ nodes {{ id state }} pageInfo {{ hasNextPage endCursor }} }}
}} }} {_ITEM}"""

REQUESTS: Final = """query Requests($id: ID!, $after: Cursor) { contract(id: $id) {
  changeRequests(first: 100, after: $after) { nodes { id state } pageInfo { hasNextPage endCursor } } } }"""

NEWS: Final = """query News($after: Cursor, $first: Int) { changes(after: $after, first: $first) {
  nodes { contract { id } } cursor hasMore } }"""

NEWS_PAGE: Final = 100

FORMER: Final = f"query Former($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... Item }} }} {_ITEM}"

NODES_MAX: Final = 100

VIEWER: Final = "query Who { viewer { accountId scopes } }"

_IN_HAND: Final = frozenset({"ACTIVE", "CHANGES_REQUESTED"})
_FAULTS: Final[Mapping[str, type[Exception]]] = {
    "INVALID_INPUT": Refused,
    "VERSION_CONFLICT": Moved,
    "MILESTONE_LOCKED": Moved,
    "INVALID_STATE": Moved,
    "OUT_OF_SEQUENCE": Moved,
    "STALE_CHANGE_REQUEST": Moved,
}
"""What is wrong with the value; where somebody was faster, which is seen by reading again; and else with the key."""

_FINAL: Final = frozenset({"UNAUTHENTICATED", "FORBIDDEN", "BAD_REQUEST", "QUERY_TOO_COMPLEX"})

_NAMES: Final = {Field.TITLE: "title", Field.PURPOSE: "purpose", Field.DUE_ON: "dueOn"}


class EarnestContract:
    """One contract; `system` is what the account calls the tool in its references; `since` tells couplings of one name apart."""

    def __init__(self, url: str, key: str, *, contract_id: str, system: str, said_by: str, since: str = "") -> None:
        self._calls = Calls(url, {"authorization": f"Bearer {key}"}, who="Earnest")
        self._contract_id = contract_id
        self._system = system
        self._said_by = said_by
        self._since = since
        self._currency = ""

    async def viewer(self) -> dict[str, Any]:
        """Whose key it is."""
        return dict((await self._ask(VIEWER))["viewer"])

    async def is_clients(self) -> bool:
        """Whether the key is the client's."""
        account_id: str = (await self.viewer())["accountId"]
        return bool((await self._contract())["clientId"] == account_id)

    async def news(self, cursor: str | None) -> tuple[str, bool]:
        """Where the feed stands now, and whether it told anything of this contract since the cursor; without one it did, and if
        there is more than a page: an account may have any number of events, and both sides are read sooner than they.

        Raises `BeyondTheLog` for a cursor of another log.
        """
        page = (await self._ask(NEWS, after=cursor or "latest", first=NEWS_PAGE))["changes"]
        if cursor is None:
            return str(page["cursor"]), True
        if page["hasMore"]:
            return await self.news(None)
        is_new = any((node["contract"] or {}).get("id") == self._contract_id for node in page["nodes"])
        return str(page["cursor"]), is_new

    async def read(self, noted: Collection[str] = ()) -> OurSide:
        """The contract as it is, and of the noted milestones those of earlier plans."""
        found = await self._contract()
        self._currency = found["currency"]
        is_active = found["state"] == "ACTIVE"
        requests, page = list(found["changeRequests"]["nodes"]), found["changeRequests"]["pageInfo"]
        while page["hasNextPage"]:
            more = (await self._ask(REQUESTS, id=self._contract_id, after=page["endCursor"]))["contract"]
            requests += more["changeRequests"]["nodes"]
            page = more["changeRequests"]["pageInfo"]
        shown = [one for one in found["milestones"] if one["revision"] == found["revision"]]
        return OurSide(
            items={one["id"]: self._shown(one, is_active=is_active) for one in shown},
            version=found["planVersion"],
            currency=found["currency"],
            today=datetime.now(UTC).date(),
            takes_new=is_active,
            open_requests=frozenset(one["id"] for one in requests if one["state"] == "OPEN"),
            former=await self._former(sorted(set(noted) - {one["id"] for one in shown}), before=found["revision"]),
        )

    async def _former(self, noted: Sequence[str], *, before: int) -> dict[str, Ours]:
        """Those of the milestones that are of a revision before this one."""
        found: list[Mapping[str, Any] | None] = []
        for start in range(0, len(noted), NODES_MAX):
            found += (await self._ask(FORMER, ids=noted[start : start + NODES_MAX]))["nodes"]
        shown = [one for one in found if one is not None and one["revision"] < before]
        return {one["id"]: replace(self._shown(one, is_active=False), is_over=True, is_dropped=True) for one in shown}

    async def _contract(self) -> dict[str, Any]:
        found = (await self._ask(CONTRACT, id=self._contract_id, after=None))["contract"]
        if found is None:
            raise ToolRefused(f"this key does not see the contract {self._contract_id}")
        return dict(found)

    def _shown(self, one: Mapping[str, Any], *, is_active: bool) -> Ours:
        names = [named["externalId"] for named in one["externalReferences"] if named["system"] == self._system]
        return Ours(
            id=one["id"],
            values={name: canonical(one[field]) for name, field in _NAMES.items()},
            facts=f"{one['amount']['amount']} {self._currency}, {one['state']}",
            updated_at=datetime.fromisoformat(one["updatedAt"]),
            position=one["position"],
            is_open=is_active and one["state"] == "PLANNED",
            is_over=one["state"] in OVER,
            is_dropped=one["state"] == "CANCELLED",
            is_in_hand=is_active and one["state"] in _IN_HAND,
            external_id=names[0] if names else None,
        )

    async def add(self, external_id: str, url: str | None, values: Values, amount: str) -> str:
        """The milestone that the tool's name stands for, made if there is none."""
        row = {"externalId": external_id, "url": url, "amount": self._money(amount), **_said(values)}
        given = {"contractId": self._contract_id, "system": self._system, "rows": [row]}
        try:
            made = await self._do("importMilestones", "milestones { id }", given)
        except Moved as error:
            # The name stands for something else, of another contract perhaps: looking again changes nothing.
            raise Refused(str(error)) from None
        return str(made["milestones"][0]["id"])

    async def edit(self, milestone_id: str, values: Values, *, version: int) -> int:
        """Edit a planned milestone; the plan's version afterwards."""
        given = {"milestoneId": milestone_id, "expectedVersion": version, **_said(values)}
        return int((await self._do("editMilestone", "contract { planVersion }", given))["contract"]["planVersion"])

    async def remove(self, milestone_id: str, *, version: int) -> int:
        """Take a planned milestone out; the plan's version afterwards."""
        given = {"milestoneId": milestone_id, "expectedVersion": version}
        return int((await self._do("removeMilestone", "contract { planVersion }", given))["contract"]["planVersion"])

    async def ask_to_add(self, values: Values, amount: str, *, once: str) -> tuple[str, str]:
        """File a change request; its id, and that of the milestone to be."""
        filed = await self._file({"add": {"milestone": _new(values, self._money(amount))}}, once)
        return filed["id"], filed["changes"][0]["milestoneId"]

    async def ask_to_edit(self, milestone_id: str, values: Values, *, once: str) -> str:
        """File a change request; its id."""
        return str((await self._file({"edit": {"milestoneId": milestone_id, **_said(values)}}, once))["id"])

    async def ask_to_remove(self, milestone_id: str, *, once: str) -> str:
        """File a change request; its id."""
        return str((await self._file({"remove": {"milestoneId": milestone_id}}, once))["id"])

    async def tell(self, milestone_id: str, *, once: str) -> None:
        """Post an update that the tool calls it done."""
        words = f"Marked as done in {self._said_by}."
        given = {
            "contractId": self._contract_id,
            "milestoneId": milestone_id,
            "message": words,
            "links": [],
            "attachments": [],
        }
        await self._hint("postUpdate", "contract { id }", given, once)

    async def submit(self, milestone_id: str, *, once: str) -> None:
        """Hand in the work."""
        words = f"Marked as done in {self._said_by}."
        given = {"milestoneId": milestone_id, "message": words, "links": [], "attachments": []}
        await self._hint("submitMilestone", "milestone { id }", given, once)

    async def name(self, milestone_id: str, external_id: str, url: str | None) -> None:
        """Keep what the tool calls a milestone. A name that stands for another one already stays there; an empty one is none."""
        of = {"subjectId": milestone_id, "system": self._system}
        answer = "externalReference { externalId }"
        with contextlib.suppress(Moved, Refused):
            if external_id:
                await self._do("setExternalReference", answer, {**of, "externalId": external_id, "url": url})
            else:
                await self._do("removeExternalReference", answer, of)

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()

    async def _hint(self, mutation: str, answer: str, given: object, once: str) -> None:
        """What is said once, and not again if it isn't the time for it."""
        try:
            await self._do(mutation, answer, given, once=once)
        except Moved as error:
            raise Refused(str(error)) from None

    async def _file(self, change: dict[str, Any], once: str) -> dict[str, Any]:
        words = f"As it was changed in {self._said_by}."
        given = {"contractId": self._contract_id, "changes": [change], "message": words}
        answer = "changeRequest { id changes { milestoneId } }"
        try:
            return dict((await self._do("fileChangeRequest", answer, given, once=once))["changeRequest"])
        except _RefusedAsAWhole as refusal:  # no value is at fault: there are too many that nobody has decided yet
            raise ToolRefused(str(refusal)) from None

    def _money(self, amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": self._currency}

    async def _do(self, mutation: str, answer: str, given: object, *, once: str | None = None) -> dict[str, Any]:
        """The payload of a mutation. Raises `Moved` if somebody was faster, `Refused` for what it says."""
        key = hashlib.sha256(f"{self._system} {self._since} {self._contract_id} {once}".encode()).hexdigest()
        directive = f'@idempotent(key: "{key}")' if once is not None else ""
        document = (
            f"mutation Do($input: {mutation[0].upper()}{mutation[1:]}Input!) {{ {mutation}(input: $input) {directive} "
            f"{{ {answer} userErrors {{ code field message }} }} }}"
        )
        payload = dict((await self._ask(document, input=given))[mutation])
        for error in payload["userErrors"]:
            raise _refusal(error["code"], error["field"], f"{error['code']}: {error['message']}")
        return payload

    async def _ask(self, document: str, **variables: object) -> dict[str, Any]:
        answer = await self._calls.ask("POST", "/graphql", {"query": document, "variables": variables})
        for error in answer.get("errors") or ():
            code, message = error.get("extensions", {}).get("code", "ERROR"), error.get("message", "")
            raise _fault(code, message)(f"Earnest answered {code}: {message}")
        return dict(answer["data"])


class _RefusedAsAWhole(Refused):
    """A refusal that names no place in what was given."""


def _refusal(code: str, place: str | None, said: str) -> Exception:
    kind = _FAULTS.get(code, ToolRefused)
    if kind is not Refused:
        return kind(said)
    name = (place or "").rpartition(".")[2]
    field = next((field for field, called in _NAMES.items() if called == name), None)
    return Refused(said, field) if place else _RefusedAsAWhole(said)


def _fault(code: str, message: str) -> type[ToolError]:
    if code == "LOG_CUT" or (code == "BAD_REQUEST" and "beyond the end of this log" in message):
        return BeyondTheLog
    return ToolRefused if code in _FINAL else ToolError


def _said(values: Values) -> dict[str, str]:
    return {_NAMES[name]: value for name, value in values.items()}


def _new(values: Values, amount: dict[str, str]) -> dict[str, Any]:
    return {**_said(values), "amount": amount, "deliverables": []}
