"""Holds a dozen operations to begin with, and the article of them that a browser gets at `/graphql`.

A test runs every one of them as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.manual.articles import Article

ADDRESS: Final = "/graphql"

MODULE: Final = "/console/explorer/operations.js"
"""The script that lets each of them run where it stands."""

_ID: Final = "01kathd3v0f6x8zj9s5m2w7q4r"


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody may want to try; identifiers in `variables` are to be put in."""

    title: str
    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)


OPERATIONS: Final = (
    Operation("Who am I, and what may this key do?", "{ viewer { role scopes account { id name } } }"),
    Operation(
        "My contracts, with the money in them and what happens next",
        """{
  contracts {
    nodes {
      title state
      currentMilestone { id title state }
      escrow { held { amount currency } }
      nextDeadline { at action inFavourOf }
    }
  }
}""",
    ),
    Operation(
        "The plan of one contract",
        """query ($id: ID!) {
  contract(id: $id) {
    title
    milestones { position title state amount { amount currency } dueOn }
  }
}""",
        {"id": f"ctr_{_ID}"},
    ),
    Operation(
        "What may I do with a milestone now, and why not the rest?",
        """query ($id: ID!) {
  milestone(id: $id) {
    title state
    allowedActions { action allowed reason { code message } }
  }
}""",
        {"id": f"mil_{_ID}"},
    ),
    Operation(
        "What would approving it do?",
        """query ($id: ID!) {
  preview(command: {approveMilestone: {milestoneId: $id}}) {
    refusal { code message documentation }
    events { type }
    transfers { debit credit amount { amount currency } }
  }
}""",
        {"id": f"mil_{_ID}"},
    ),
    Operation(
        "Approve it; under the same key once, however often it is sent",
        """mutation ($id: ID!) {
  approveMilestone(input: {milestoneId: $id}) @idempotent(key: "approve-wireframe") {
    milestone { state }
    contract { escrow { released { amount } } }
    userErrors { code message documentation }
  }
}""",
        {"id": f"mil_{_ID}"},
    ),
    Operation(
        "What happened, and what it moved",
        """{
  contracts(first: 1) {
    nodes {
      timeline(first: 100) { nodes { sequence type hash previousHash } }
      transfers(first: 100) { nodes { debit credit amount { amount currency } } }
    }
  }
}""",
    ),
    Operation(
        "Everything since a cursor, for a mirror",
        """query ($after: Cursor) {
  changes(after: $after, first: 100) {
    nodes { cursor event { id type occurredAt } contract { id state } milestones { id state position } }
    cursor hasMore
  }
}""",
    ),
    Operation(
        "Milestones that are due soon",
        """query ($before: Date!) {
  milestones(filter: {dueBefore: $before}, first: 20) {
    nodes { title dueOn state contract { title } }
  }
}""",
        {"before": "2027-01-01"},
    ),
    Operation(
        "Divide a budget without losing a cent",
        '{ splitBudget(amount: {amount: "1000.00", currency: "USD"}, ratios: [1, 1, 1]) { amount currency } }',
    ),
    Operation(
        "Hints on a draft plan",
        """{
  reviewPlan(plan: [{title: "Everything", amount: {amount: "5000.00", currency: "USD"}}]) {
    code message
  }
}""",
    ),
    Operation("The events that a webhook can carry", "{ eventTypes { name description } }"),
    Operation(
        "Hear what happens (over a WebSocket or as an event stream)",
        "subscription { events { cursor type occurredAt } }",
    ),
)

_TEXT: Final = """# Operations to begin with

This is the address of the API: programs send it GraphQL by `POST`, with a key. Put the address of this page for `ADDRESS`, and a key for `ek_…`; `make run` prints some.

```sh
curl ADDRESS \\
  -H 'content-type: application/json' \\
  -H 'authorization: Bearer ek_…' \\
  -d '{{"query": "{{ viewer {{ account {{ id name }} }} }}"}}'
```

Variables go beside it: `{{"query": "…", "variables": {{"id": "ctr_…"}}}}`. Without a key only the schema is told. [The schema](/docs/schema) has every type and field,
[the page about the API](/docs/graphql) what holds everywhere, [live streams](/docs/integrating/live) how to subscribe.

{how}{operations}
"""  # noqa: E501 - lines of Markdown


_HERE: Final = """Each of them runs here, with the key that you put in. `make explorer` fetches GraphiQL, with completion and the schema beside it; then
that is what a browser gets at this address.

"""  # noqa: E501 - lines of Markdown


def article(*, runs: bool = False) -> Article:
    """All of them, to be read; and to be run, by a script of ours."""
    text = _TEXT.format(how=_HERE if runs else "", operations="\n\n".join(map(_shown, OPERATIONS)))
    return Article.of(text, ADDRESS, module=MODULE if runs else "")


def _shown(operation: Operation) -> str:
    parts = [f"## {operation.title}", f"```graphql\n{operation.query}\n```"]
    if operation.variables:
        parts.append(f"with the variables `{json.dumps(operation.variables)}`")
    return "\n\n".join(parts)
