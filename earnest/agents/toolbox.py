"""The twelve tools for agents: ten read, one foresees, one prepares a page for a person. None of them changes anything.

Each answers with plain JSON; what was refused is a `ToolRefused`, in words that say what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from earnest.agents.actions import ACTIONS
from earnest.api_client import Api, Refused

PAGE: Final = 20
PAGE_MAX: Final = 100

_MONEY: Final = "{ amount currency }"
_DEADLINE: Final = "nextDeadline { at action inFavourOf }"
_ALLOWED: Final = "allowedActions { action allowed reason { code message } }"
_PROGRESS: Final = f"progress {{ total closed amount {_MONEY} amountReleased {_MONEY} }}"
_PAGE_INFO: Final = "pageInfo { hasNextPage endCursor }"
_EVENT: Final = "id type occurredAt actor { kind accountId } data texts { field value }"

_CONTRACT: Final = f"""
id title description state revision currency turn createdAt updatedAt {_DEADLINE}
client {{ id name }} freelancer {{ id name }}
{_PROGRESS}
escrow {{ held {_MONEY} released {_MONEY} refunded {_MONEY} payable {{ client {_MONEY} freelancer {_MONEY} }} }}
milestones {{ id position title purpose deliverables state dueOn amount {_MONEY} held {_MONEY} hold reviewDueAt }}
"""

_OF_NODE: Final = " ".join(
    f"... on {name} {{ {_ALLOWED} }}"
    for name in ("Contract", "Milestone", "Dispute", "RefundRequest", "ChangeRequest", "Deposit", "PaymentOrder")
)

_CONTRACT_OF: Final = "... on Contract { id } " + " ".join(
    f"... on {name} {{ contractId }}"
    for name in ("Milestone", "Dispute", "RefundRequest", "ChangeRequest", "Deposit", "PaymentOrder")
)

_PREVIEW: Final = f"""
query Preview($command: CommandInput!) {{
  preview(command: $command) {{
    refusal {{ code message field details documentation }}
    events {{ type data }}
    transfers {{ debit credit amount {_MONEY} }}
    fees {{ clientAsked {_MONEY} freelancerEarned {_MONEY} }}
    contract {{ before after }}
    milestones {{ milestoneId title before {{ state }} after {{ state }} }}
    deadlinesStarted {{ subject at action inFavourOf }}
    deadlinesStopped {{ subject at action inFavourOf }}
  }}
}}
"""


class ToolRefused(Exception):
    """What an agent asked for can't be had; the message says what would be right."""


class Tools:
    """What an agent may ask, with the key of one account; each method is a tool, and its docstring what the agent reads."""

    def __init__(self, api: Api, url: str) -> None:
        """`url` is where people open the console."""
        self._api = api
        self._url = url.rstrip("/")

    async def who_am_i(self) -> dict[str, Any]:
        """Whose key this is: the account's name and id, the role, and the key's scopes."""
        return await self._one("viewer", "query Who { viewer { kind role scopes accountId account { name type } } }")

    async def list_contracts(
        self, state: str | None = None, title: str | None = None, first: int = PAGE, after: str | None = None
    ) -> dict[str, Any]:
        """Contracts that the account sees, the newest first. `state`: PROPOSED, ACTIVE, COMPLETED, ENDED, DECLINED, WITHDRAWN or
        EXPIRED. `title`: words in any order. At most 100 a page; go on with `after` = pageInfo.endCursor."""
        return await self._one(
            "contracts",
            f"""query Contracts($filter: ContractFilter, $first: Int, $after: Cursor) {{
              contracts(filter: $filter, first: $first, after: $after) {{
                nodes {{ id title state currency turn updatedAt {_PROGRESS} {_DEADLINE} }} {_PAGE_INFO}
              }} }}""",
            filter={"state": [state] if state else None, "title": title}, first=min(first, PAGE_MAX), after=after,
        )  # fmt: skip

    async def show_contract(self, contract_id: str) -> dict[str, Any]:
        """A contract whole: its parties, its plan with all milestones, what is held in escrow, and the next deadline."""
        return await self._one(
            "contract", f"query C($id: ID!) {{ contract(id: $id) {{ {_CONTRACT} }} }}", id=contract_id
        )

    async def find_milestones(
        self,
        state: str | None = None,
        title: str | None = None,
        due_before: str | None = None,
        deadline_before: str | None = None,
        first: int = PAGE,
        after: str | None = None,
    ) -> dict[str, Any]:
        """Milestones of all contracts. `state`: PLANNED, FUNDING, FUNDED, ACTIVE, SUBMITTED, RELEASED, REFUNDED, SETTLED or
        CANCELLED. `due_before`: a date. `deadline_before`: a time in RFC 3339; what silence then does is `nextDeadline`."""
        wanted = {"state": [state] if state else None, "title": title}
        return await self._one(
            "milestones",
            f"""query Milestones($filter: MilestoneFilter, $first: Int, $after: Cursor) {{
              milestones(filter: $filter, first: $first, after: $after) {{
                nodes {{ id contractId position title state dueOn amount {_MONEY} {_DEADLINE} }} {_PAGE_INFO}
              }} }}""",
            filter={**wanted, "dueBefore": due_before, "deadlineBefore": deadline_before},
            first=min(first, PAGE_MAX), after=after,
        )  # fmt: skip

    async def read_timeline(self, contract_id: str, first: int = PAGE, after: str | None = None) -> dict[str, Any]:
        """What happened on a contract, from its first event on, with people's words. Go on with `after`."""
        found = await self._one(
            "contract",
            f"""query Timeline($id: ID!, $first: Int, $after: Cursor) {{
              contract(id: $id) {{ timeline(first: $first, after: $after) {{ nodes {{ {_EVENT} }} {_PAGE_INFO} }} }} }}""",
            id=contract_id, first=min(first, PAGE_MAX), after=after,
        )  # fmt: skip
        timeline: dict[str, Any] = found["timeline"]
        return timeline

    async def read_changes(self, after: str | None = None, first: int = PAGE) -> dict[str, Any]:
        """What happened on all contracts since a cursor, in the order of the log. Keep the `cursor` for the next time."""
        return await self._one(
            "changes",
            f"""query Changes($first: Int, $after: Cursor) {{
              changes(first: $first, after: $after) {{ nodes {{ event {{ stream {_EVENT} }} }} cursor hasMore }} }}""",
            first=min(first, PAGE_MAX), after=after,
        )  # fmt: skip

    async def allowed_actions(self, subject_id: str) -> dict[str, Any]:
        """What the account may do now with a contract, milestone, dispute, refund or change request, deposit or payment order,
        and why not the rest."""
        found = await self._one(
            "node", f"query A($id: ID!) {{ node(id: $id) {{ id __typename {_OF_NODE} }} }}", id=subject_id
        )
        if "allowedActions" not in found:
            raise ToolRefused(f"Nothing is done to {subject_id}; ask about its contract.")
        return found

    async def review_plan(self, plan: list[dict[str, Any]], budget: dict[str, str] | None = None) -> dict[str, Any]:
        """Hints on a plan before it is proposed. A milestone is {title, purpose, deliverables: [..], amount: {amount: "100.00",
        currency: "USD"}, dueOn: "2027-01-31"}; each part may be missing."""
        document = """query Review($plan: [MilestoneDraftInput!]!, $budget: MoneyInput) {
          reviewPlan(plan: $plan, budget: $budget) { code message position field } }"""
        return {"hints": await self._any("reviewPlan", document, plan=plan, budget=budget)}

    async def split_budget(self, amount: str, currency: str, ratios: list[int]) -> dict[str, Any]:
        """An amount in parts that stand to each other as whole numbers, to the last cent: ratios [3, 4, 3] of 1000.00."""
        document = f"""query Split($amount: MoneyInput!, $ratios: [Int!]!) {{
          splitBudget(amount: $amount, ratios: $ratios) {_MONEY} }}"""
        parts = await self._any("splitBudget", document, amount={"amount": amount, "currency": currency}, ratios=ratios)
        return {"parts": parts}

    async def explain_error(self, code: str) -> dict[str, Any]:
        """When a code comes, such as MILESTONE_LOCKED, and what to do about it."""
        from schema.error_codes import EXPLAINED

        found = EXPLAINED.get(code)
        if found is None:
            raise ToolRefused(f"There is no code {code}. There are: {', '.join(sorted(EXPLAINED))}")
        return {"code": code, "when": found.when, "remedy": found.remedy, "example": found.message}

    async def foresee(self, action: str, subject_id: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """What an action would bring about, in events and sums, without doing it: `action` as `allowed_actions` names it,
        `values` the other fields of its mutation's input."""
        mutation, given = _command(action, subject_id, values)
        return await self._one("preview", _PREVIEW, command={mutation: given})

    async def prepare(self, action: str, subject_id: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """A link to a page where a person sees what an action would bring about and confirms it, or not: hand it to them.
        Nothing happens before. It is refused if the action would be, with the reason; a key that may only read can't know."""
        foreseen = await self.foresee(action, subject_id, values)
        refusal = foreseen["refusal"]
        if refusal is not None and "scope" not in (refusal["details"] or {}):
            raise ToolRefused(f"{refusal['code']}: {refusal['message']}")
        found = await self._one("node", f"query Of($id: ID!) {{ node(id: $id) {{ {_CONTRACT_OF} }} }}", id=subject_id)
        contract_id = found.get("contractId") or found["id"]
        filled = f"?{quote(json.dumps(values, separators=(',', ':')))}" if values else ""
        return {
            "link": f"{self._url}/console#/contracts/{contract_id}/{action}/{subject_id}{filled}",
            "events": [one["type"] for one in foreseen["events"]],
            "transfers": foreseen["transfers"],
            "unforeseen": refusal["message"] if refusal is not None else None,
        }

    async def _one(self, name: str, document: str, **variables: object) -> dict[str, Any]:
        found = await self._any(name, document, **variables)
        if found is None:
            raise ToolRefused("NOT_FOUND: it doesn't exist, or this key doesn't see it.")
        answer: dict[str, Any] = found
        return answer

    async def _any(self, name: str, document: str, **variables: object) -> Any:
        try:
            return (await self._api.ask(document, **variables))[name]
        except Refused as refusal:
            raise ToolRefused(str(refusal)) from None


def _command(action: str, subject_id: str, values: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    known = ACTIONS.get(action)
    if known is None:
        raise ToolRefused(f"There is no action {action}. There are: {', '.join(sorted(ACTIONS))}")
    mutation, subject = known
    return mutation, {**(values or {}), subject: subject_id}
