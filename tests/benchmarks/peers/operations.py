"""The ten commonest operations: what each kind of side is asked, and what its answer comes to, so that all must say the same.

A case is the number of a contract. What is compared is Earnest's answer to `GRAPHQL` as plain data; the hand-written endpoint
answers in just that form, PostGraphile's answer is brought into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from escrow.cursors import print_cursor
from tests.benchmarks.peers.filling import PLAN, Filled, contract_id, milestone_id

PAGE: Final = 50

MESSAGE: Final = "Thank you"
LINKS: Final = ["https://example.com/work"]
ADDED: Final = {
    "title": "One more page",
    "purpose": "So that nobody misses it",
    "deliverables": ["One page"],
    "dueOn": "2101-01-01",
}
ADDED_MINOR: Final = 25_000
TOKEN: Final = "tok_ok"

Variables = Callable[[Filled, int], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that people do often. A command is carried out once for each case, in the order of `OPERATIONS`."""

    name: str
    graphql: str
    variables: Variables
    postgraphile: str
    postgraphile_variables: Variables
    canonical: Callable[[Any], Any]
    """PostGraphile's data as Earnest's."""
    path: Callable[[Filled, int], str]
    """Of the hand-written endpoint; a command's variables are its body."""
    leads_to: tuple[str, int] | None = None
    """For a command: the state and the position of the milestone afterwards."""
    by_freelancer: bool = False

    @property
    def is_command(self) -> bool:
        return self.leads_to is not None


def plain(value: Any) -> Any:
    """JSON with times that mean the same written the same."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str) and value[4:5] == "-" and "T" in value:
        return datetime.fromisoformat(value).timestamp()
    return value


def _money(minor: str | int, currency: str) -> dict[str, str]:
    return {"amount": f"{int(minor) // 100}.{int(minor) % 100:02}", "currency": currency}


def _milestone(row: Mapping[str, Any], currency: str) -> dict[str, Any]:
    return {
        "id": row["rowId"],
        "title": row["title"],
        "state": row["state"],
        "position": row["position"],
        "dueOn": row["dueOn"],
        "amount": _money(row["amountMinor"], currency),
    }


def _contract(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["rowId"],
        "title": row["title"],
        "state": row["state"],
        "currency": row["currency"],
        "updatedAt": row["updatedAt"],
        "milestones": [_milestone(one, row["currency"]) for one in row["milestonesByContractIdList"]],
    }


def _contracts(data: Any) -> Any:
    page = data["allContracts"]
    return {"contracts": {"nodes": [_contract(row) for row in page["nodes"]], "pageInfo": page["pageInfo"]}}


def _milestones(data: Any) -> Any:
    page = data["allMilestones"]
    rows = [_milestone(row, row["contractByContractId"]["currency"]) for row in page["nodes"]]
    return {"milestones": {"nodes": rows, "pageInfo": page["pageInfo"]}}


def _changes(data: Any) -> Any:
    found = data["peerChangesList"]
    nodes = [
        {
            "cursor": print_cursor(int(row["position"])),
            "event": _event(row["eventByStreamIdAndEventId"]) | {"stream": row["streamId"]},
            "milestones": [{"id": one["rowId"], "state": one["state"]} for one in row["touchedList"]],
        }
        for row in found[:PAGE]
    ]
    return {"changes": {"nodes": nodes, "hasMore": len(found) > PAGE}}


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["rowId"],
        "type": row["type"],
        "occurredAt": row["occurredAt"],
        "sequence": int(row["sequence"]),
    }


def _viewer(data: Any) -> Any:
    key = data["apiKeyByRowId"]
    scopes = sorted(scope.upper().replace(":", "_") for scope in key["scopes"])
    return {"viewer": {"accountId": key["accountId"], "keyId": key["rowId"], "scopes": scopes}}


def _timeline(data: Any) -> Any:
    events = [_event(row) | {"hash": row["hash"]} for row in data["allEventsList"]]
    return {"contract": {"id": data["contractByRowId"]["rowId"], "timeline": {"nodes": events}}}


def _done(mutation: str) -> Callable[[Any], Any]:
    def canonical(data: Any) -> Any:
        (answer,) = data.values()
        row = answer["result"]
        milestone = {"state": row["state"], "position": row["position"], "title": row["title"]}
        return {mutation: {"milestone": milestone, "userErrors": []}}

    return canonical


_MILESTONE: Final = "id title state position dueOn amount { amount currency }"
_MILESTONE_ROW: Final = "rowId title state position dueOn amountMinor"
_CONTRACT: Final = f"id title state currency updatedAt milestones {{ {_MILESTONE} }}"
_CONTRACT_ROW: Final = (
    f"rowId title state currency updatedAt milestonesByContractIdList(orderBy: POSITION_ASC) {{ {_MILESTONE_ROW} }}"
)


def _nothing(_: Filled, __: int) -> dict[str, Any]:
    return {}


def _mutation(name: str, given: str) -> str:
    return (
        f"mutation ($input: {given}!) {{ {name}(input: $input) {{ milestone {{ state position title }} "
        "userErrors { code message } } }"
    )


def _function(name: str) -> str:
    kind = f"{name[0].upper()}{name[1:]}Input"
    return f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ result {{ state position title }} }} }}"


OPERATIONS: Final = (
    Operation(
        name="one contract with its milestones",
        graphql=f"query ($id: ID!) {{ contract(id: $id) {{ {_CONTRACT} }} }}",
        variables=lambda _, case: {"id": contract_id(case)},
        postgraphile=f"query ($id: String!) {{ contractByRowId(rowId: $id) {{ {_CONTRACT_ROW} }} }}",
        postgraphile_variables=lambda _, case: {"id": contract_id(case)},
        canonical=lambda data: {"contract": _contract(data["contractByRowId"])},
        path=lambda _, case: f"/contracts/{contract_id(case)}",
    ),
    Operation(
        name="50 contracts with their milestones",
        graphql=f"{{ contracts(first: {PAGE}) {{ nodes {{ {_CONTRACT} }} pageInfo {{ hasNextPage }} }} }}",
        variables=_nothing,
        postgraphile=f"""query ($me: String!) {{
            allContracts(first: {PAGE}, condition: {{clientId: $me}}, orderBy: ROW_ID_DESC) {{
                nodes {{ {_CONTRACT_ROW} }} pageInfo {{ hasNextPage }} }} }}""",
        postgraphile_variables=lambda filled, _: {"me": filled.client.account_id},
        canonical=_contracts,
        path=lambda _, __: "/contracts",
    ),
    Operation(
        name="50 milestones by a filter",
        graphql=f"""{{ milestones(first: {PAGE}, filter: {{state: [ACTIVE]}}, orderBy: DUE) {{
            nodes {{ {_MILESTONE} }} pageInfo {{ hasNextPage }} }} }}""",
        variables=_nothing,
        postgraphile=f"""query ($me: String!) {{
            allMilestones(first: {PAGE}, condition: {{clientId: $me, state: "ACTIVE"}}, orderBy: [DUE_ON_ASC, ROW_ID_ASC]) {{
                nodes {{ {_MILESTONE_ROW} contractByContractId {{ currency }} }} pageInfo {{ hasNextPage }} }} }}""",
        postgraphile_variables=lambda filled, _: {"me": filled.client.account_id},
        canonical=_milestones,
        path=lambda _, __: "/milestones?state=ACTIVE",
    ),
    Operation(
        name="a page of changes",
        graphql=f"""query ($after: Cursor) {{ changes(first: {PAGE}, after: $after) {{
            nodes {{ cursor event {{ id type occurredAt sequence stream }} milestones {{ id state }} }} hasMore }} }}""",
        variables=lambda filled, case: {"after": print_cursor(case * filled.events)},
        postgraphile=f"""query ($me: String!, $after: BigInt!) {{
            peerChangesList(account: $me, afterPosition: $after, howMany: {PAGE + 1}) {{
                position streamId eventByStreamIdAndEventId {{ rowId type occurredAt sequence }}
                touchedList {{ rowId state }} }} }}""",
        postgraphile_variables=lambda filled, case: {
            "me": filled.client.account_id,
            "after": str(case * filled.events),
        },
        canonical=_changes,
        path=lambda filled, case: f"/changes?after={print_cursor(case * filled.events)}",
    ),
    Operation(
        name="viewer",
        graphql="{ viewer { accountId keyId scopes } }",
        variables=_nothing,
        postgraphile="query ($key: String!) { apiKeyByRowId(rowId: $key) { rowId accountId scopes } }",
        postgraphile_variables=lambda filled, _: {"key": filled.client.key_id},
        canonical=_viewer,
        path=lambda _, __: "/viewer",
    ),
    Operation(
        name="timeline",
        graphql=f"""query ($id: ID!) {{ contract(id: $id) {{
            id timeline(first: {PAGE}) {{ nodes {{ id type occurredAt sequence hash }} }} }} }}""",
        variables=lambda _, case: {"id": contract_id(case)},
        postgraphile=f"""query ($id: String!) {{
            contractByRowId(rowId: $id) {{ rowId }}
            allEventsList(first: {PAGE}, condition: {{streamId: $id}}, orderBy: SEQUENCE_ASC) {{
                rowId type occurredAt sequence hash }} }}""",
        postgraphile_variables=lambda _, case: {"id": contract_id(case)},
        canonical=_timeline,
        path=lambda _, case: f"/contracts/{contract_id(case)}/timeline",
    ),
    Operation(
        name="submit",
        graphql=_mutation("submitMilestone", "SubmitMilestoneInput"),
        variables=lambda _, case: {"input": {"milestoneId": milestone_id(case), "message": MESSAGE, "links": LINKS}},
        postgraphile=_function("peerSubmit"),
        postgraphile_variables=lambda _, case: {
            "input": {"milestone": milestone_id(case), "words": MESSAGE, "addresses": LINKS}
        },
        canonical=_done("submitMilestone"),
        path=lambda _, __: "/submit",
        leads_to=("SUBMITTED", 1),
        by_freelancer=True,
    ),
    Operation(
        name="approve",
        graphql=_mutation("approveMilestone", "ApproveMilestoneInput"),
        variables=lambda _, case: {"input": {"milestoneId": milestone_id(case), "message": MESSAGE}},
        postgraphile=_function("peerApprove"),
        postgraphile_variables=lambda _, case: {"input": {"milestone": milestone_id(case), "message": MESSAGE}},
        canonical=_done("approveMilestone"),
        path=lambda _, __: "/approve",
        leads_to=("RELEASED", 1),
    ),
    Operation(
        name="fund",
        graphql=_mutation("fundMilestone", "FundMilestoneInput"),
        variables=lambda _, case: {"input": {"milestoneId": milestone_id(case, 2), "paymentToken": TOKEN}},
        postgraphile=_function("peerFund"),
        postgraphile_variables=lambda _, case: {"input": {"milestone": milestone_id(case, 2), "token": TOKEN}},
        canonical=_done("fundMilestone"),
        path=lambda _, __: "/fund",
        leads_to=("FUNDING", 2),
    ),
    Operation(
        name="add a milestone",
        graphql=_mutation("addMilestone", "AddMilestoneInput"),
        variables=lambda _, case: {
            "input": {"contractId": contract_id(case), "milestone": ADDED | {"amount": _money(ADDED_MINOR, "USD")}}
        },
        postgraphile=_function("peerAdd"),
        postgraphile_variables=lambda _, case: {
            "input": {"contract": contract_id(case), **ADDED, "amountMinor": str(ADDED_MINOR)}
        },
        canonical=_done("addMilestone"),
        path=lambda _, __: "/add",
        leads_to=("PLANNED", PLAN + 1),
    ),
)
