"""Says of every error code when it comes, and what to do; `/docs/errors/CODE` is made of it, and errors link there.

A code that a program can meet and that has no entry here fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from escrow.causes import Cause
from escrow.errors import ErrorCode

PATH: Final = "/docs/errors/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One code: `when` it comes, an example as it is told, and what to do about it. Words are Markdown."""

    when: str
    remedy: str
    message: str
    """The example's."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further values: `details` of a user error, `extensions` of a top-level one."""
    field: str | None = None
    """The place in the input, where the example has one."""


OF_REFUSALS: Final[Mapping[str, Explained]] = {
    ErrorCode.NOT_FOUND: Explained(
        when="The object doesn't exist, or you may not see it: both are answered alike, so that nobody finds out what "
        "others have.",
        message="There is no milestone mil_01kathd3v0f6x8zj9s5m2w7q4r.",
        field="milestoneId",
        remedy="Look at the identifier, at whose key you use, and at the contracts that the key is limited to. Programs "
        "should forget the object: asking again gives the same answer.",
    ),
    ErrorCode.FORBIDDEN: Explained(
        when="You may see it, but not do this: it is the other side's to do, it isn't your turn, or your role or your "
        "key's scopes don't reach so far; or your key or session ended before this mutation of an operation with several "
        "began. A query that a key may not ask is answered by a top-level error of the same code.",
        message="Only the client may do this.",
        details={"sides": ["CLIENT"]},
        remedy="Act with the key of who may: `allowedActions` says it beforehand, for each action and with the reason. If "
        "`details` name a `scope`, make a key that has it.",
    ),
    ErrorCode.CONFLICT_OF_INTEREST: Explained(
        when="A mediator who is a party of the contract, or shares a member with one, would decide.",
        message="You share a member with a party of this contract: another mediator or the operator must decide.",
        remedy="Let another mediator decide, or the operator.",
    ),
    ErrorCode.VERSION_CONFLICT: Explained(
        when="What you looked at has moved on: the version, revision, amount or offer that you named is not the present "
        "one.",
        message="You named revision 1; it is 2 now.",
        details={"named": 1, "current": 2},
        remedy="Look at the object as it is, which the payload carries for keys that may read; decide again, and name what "
        "you saw. Never repeat with the new version unseen.",
    ),
    ErrorCode.INVALID_STATE: Explained(
        when="The contract, milestone, request or dispute is not in a state in which this is possible; or it is on hold.",
        message="The milestone is PLANNED; this needs it ACTIVE or CHANGES_REQUESTED.",
        details={"milestoneState": "PLANNED"},
        remedy="Read the object again: somebody, or a deadline, was faster. [The lifecycle](/docs/lifecycle) has the ways "
        "from state to state; `allowedActions` says what is possible now.",
    ),
    ErrorCode.MILESTONE_LOCKED: Explained(
        when="The plan would change at a milestone that isn't `PLANNED` any more: money is on its way to it, or it holds "
        "some, or is closed.",
        message="The milestone is ACTIVE; only PLANNED ones can be changed.",
        details={"milestoneState": "ACTIVE"},
        remedy="File a change request: by agreement of both sides more can be changed.",
    ),
    ErrorCode.OUT_OF_SEQUENCE: Explained(
        when="Milestones follow each other: this one isn't the next to be funded or worked on, or something would be "
        "placed before one that is under way.",
        message="The milestone is FUNDED and waits for its turn.",
        details={"milestoneState": "FUNDED"},
        remedy="Finish what comes before; the milestone's turn comes by itself then (`milestone.activated`).",
    ),
    ErrorCode.SAME_PARTY: Explained(
        when="Client and freelancer of a contract are the same account, or share a member.",
        message="Client and freelancer must differ and share no member.",
        remedy="Choose another account, or end the membership first.",
    ),
    ErrorCode.NEXT_NOT_FUNDED: Explained(
        when="A milestone is approved with less than it holds, and there is no funded next one that the rest could go to.",
        message="What a smaller approval leaves goes to the next open milestone, which must be FUNDED, without a hold and "
        "without a deposit under reversal.",
        field="amount",
        details={"milestoneId": "mil_01kathd3v0f6x8zj9s5m2w7q4r"},
        remedy="Fund the next milestone first, approve in full, or agree on a refund of the difference.",
    ),
    ErrorCode.STALE_CHANGE_REQUEST: Explained(
        when="A change request was to be accepted, but the plan moved on since it was filed and it no longer fits. It is "
        "`STALE` now.",
        message="The plan moved on: change 2 no longer fits. The milestone is ACTIVE; only PLANNED ones can be changed.",
        field="changeRequestId",
        details={"changeNumber": 2, "code": "MILESTONE_LOCKED"},
        remedy="File a new one that fits the plan as it is.",
    ),
    ErrorCode.INVALID_INPUT: Explained(
        when="A value that no state would accept: too long, empty, in another currency, an amount with too many decimals.",
        message="It must not be empty.",
        field="milestones.0.title",
        remedy="Mend the value at `field`, which counts lists from 0. Nothing was done, so the whole may be sent again, "
        "also with the same idempotency key.",
    ),
    ErrorCode.INSUFFICIENT_FUNDS: Explained(
        when="More would be paid out than is payable to the freelancer of this contract.",
        message="120.00 USD is payable, not 500.00 USD.",
        field="amount",
        details={"payable": {"amount": "120.00", "currency": "USD"}},
        remedy="Ask for at most `details.payable`, or leave the amount out to have all of it.",
    ),
    ErrorCode.IDEMPOTENCY_KEY_REUSED: Explained(
        when="The key of `@idempotent` was used before, by the same account, with another input or another mutation.",
        message="The idempotency key “accept-42” was used with another input.",
        remedy="Use a new key for each intention, and the same key only for the same input, to the letter: `10.0` is "
        "another input than `10.00`.",
    ),
}
"""What mutations are refused with, as `userErrors`."""

OF_OPERATIONS: Final[Mapping[str, Explained]] = {
    "UNAUTHENTICATED": Explained(
        when="There are no credentials, or they name nobody: the key was revoked, has expired or is misspelt. A stream "
        "ends with it, too, when its key does.",
        message="This key is unknown, expired or revoked.",
        remedy="Send `Authorization: Bearer ek_…`, over a WebSocket in `connection_init`. Don't try on with a key that was "
        "refused: wrong keys are paid for.",
    ),
    "RATE_LIMITED": Explained(
        when="Your account, or without a key your address, has used up what it may; or it has too much under way at once. "
        "Over HTTP the status is 429.",
        message="This costs 412 points, which you have in 1.3 seconds again.",
        remedy="Wait as long as `retry-after` says. Ask for less: what an operation costs stands in `extensions.cost`, and "
        "how that is counted on [the page about the API](/docs/graphql).",
    ),
    "QUERY_TOO_COMPLEX": Explained(
        when="The document is too deep, too long, or could answer with too many objects.",
        message="This operation could answer with 120000 objects; at most 20000 are allowed.",
        remedy="Ask for smaller pages (`first`), for fewer lists inside each other, or in several operations. The message "
        "says which limit it was.",
    ),
    "BAD_REQUEST": Explained(
        when="The request is not GraphQL over HTTP, the document doesn't fit the schema, or an argument of a query is none "
        "that could be answered.",
        message="Cannot query field 'titel' on type 'Contract'. Did you mean 'title'?",
        remedy="Mend the request: the message says where. [The schema](/docs/schema) has every field and argument. Sending "
        "the same again gives the same answer.",
    ),
    "LOG_CUT": Explained(
        when="The operator had to restore the log to an earlier moment, and your cursor is from after it: the events that you "
        "have seen since `keptCursor` never happened. Cursors up to that one are as good as ever, and none is ever given twice.",
        message="The cursor cur_0000000000a5f stands for nothing any more: the log was restored to an earlier moment, and what "
        "came after cur_0000000000a4c is void. Read everything anew, or undo what you made of what came after "
        "cur_0000000000a4c and go on from there.",
        details={"keptCursor": "cur_0000000000a4c"},
        remedy="Read what you keep anew (a mirror does so by itself: `refresh`), then go on from the cursor that you took "
        "before: see [After a restore](/docs/integrating/sync#after-a-restore).",
    ),
    "DOCUMENT_NOT_FOUND": Explained(
        when="No document is registered under this `documentId`, or the deployment answers registered documents only. A "
        "subscription ends with it when its document is taken back.",
        message="There is no document sha256:…: `earnest documents add` registers one.",
        remedy="Have the operator register the document, or send its text as `query` where that is allowed.",
    ),
    "PERSISTED_QUERY_NOT_SUPPORTED": Explained(
        when="A client of automatic persisted queries sent a hash that no registered document has.",
        message="PersistedQueryNotSupported",
        remedy="Nothing: such clients send the text then, and go on doing so.",
    ),
    "INTERNAL": Explained(
        when="Something went wrong inside, by no fault of yours. What it was stands in our log under the trace id.",
        message="Something went wrong inside. Tell us the trace id 96be25a51741489206490368653603a1.",
        details={"traceId": "96be25a51741489206490368653603a1"},
        remedy="Repeat a query. Repeat a mutation with the `@idempotent` key that it was sent with: whether it was done "
        "shows then. If it stays so, tell the operator the trace id.",
    ),
    "UPDATING": Explained(
        when="Earnest is being updated: a process of the former release met what a later one has written, and leaves it alone. "
        "It lasts for as long as processes are replaced.",
        message="Earnest is being updated, and what answered doesn't know yet what happened here. Nothing was done; repeat it.",
        remedy="Repeat it after a second, a mutation with the same `@idempotent` key; a process of the new release does it.",
    ),
    "TOO_SLOW": Explained(
        when="A stream was ended because its reader fell too far behind (4429 on a WebSocket).",
        message="Too slow: read faster, and go on from the last cursor.",
        details={"closeCode": 4429},
        remedy="Connect again and go on `after` your last cursor: nothing is lost.",
    ),
    "GOING_AWAY": Explained(
        when="A stream was ended because its server stops, or because what the key may see has changed (1001 on a "
        "WebSocket).",
        message="The server stops; connect again.",
        details={"closeCode": 1001},
        remedy="Connect again at once, `after` your last cursor.",
    ),
}
"""What whole operations, single fields and streams fail with, as top-level errors with `extensions.code`."""

EXPLAINED: Final[Mapping[str, Explained]] = {**OF_REFUSALS, **OF_OPERATIONS}
"""Every code."""

_public_url = ""


def named() -> dict[str, Any]:
    """What programs may go by when something fails: every code, and every cause with the values that its sentence has."""
    return {"codes": sorted(EXPLAINED), "causes": {cause.value: list(cause.values) for cause in Cause}}


def use(public_url: str | None) -> None:
    """Give whole addresses of this deployment from now on; with `None`, paths of whatever address was asked."""
    global _public_url
    _public_url = public_url or ""


def page_of(code: str) -> str:
    """The address of the page about a code."""
    return f"{_public_url}{PATH}{code}"


def coded(code: str, **values: Any) -> dict[str, Any]:
    """The `extensions` of an error: its code, what else is known, and the address of the page about it."""
    return {"code": code, **values, "documentation": page_of(code)}
