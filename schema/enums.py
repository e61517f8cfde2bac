"""Exposes the domain's enumerations in GraphQL, with a description of every value.

The classes themselves belong to `escrow`; here they get their words. A value without words refuses to start.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

import strawberry

from escrow.access import AccountType, ActorKind, Role, Scope, Side
from escrow.accounts.events import SessionEnding
from escrow.accounts.state.endpoints import Algorithm, DisabledReason, EndpointState
from escrow.agreement.advice import HintCode
from escrow.agreement.state import ChangeKind, DepositTerm
from escrow.errors import ErrorCode
from escrow.payments.book_differences import DifferenceKind
from escrow.queries.contracts import ContractOrder
from escrow.queries.milestones import MilestoneOrder
from escrow.rules import RULES, Action
from escrow.states import (
    ActionKind,
    ChangeRequestState,
    ContractState,
    DepositState,
    DisputeState,
    Hold,
    MilestoneState,
    OrderKind,
    OrderOutcome,
    OrderState,
    RefundState,
    ReversalOutcome,
    ReversalState,
)
from webhooks.delivery import lanes as webhook_heads
from webhooks.owner import queries as webhook_queries
from webhooks.request.answers import ErrorClass

E = TypeVar("E", bound=type[Enum])


def describe(of: E, description: str, /, name: str | None = None, **values: str) -> E:
    """Expose an enumeration with these words, and each of its values with its own. Raises `KeyError` for one without."""
    described = strawberry.enum(of, name=name, description=description)
    definition: Any = described.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values.pop(value.name)
    if values:
        raise ValueError(f"{of.__name__} has no {', '.join(values)}")
    return described


describe(
    AccountType,
    "What kind of party an account is.",
    INDIVIDUAL="One person.",
    COMPANY="A company.",
    AGENCY="An agency: its members deliver work in its name.",
)

describe(
    Role,
    "What a member may do for an account; each role includes the ones before it.",
    VIEWER="Reads.",
    MEMBER="Also submits work, posts updates and adds evidence.",
    MANAGER="Does all the rest on contracts.",
    OWNER="Also handles payouts, keys and members.",
)

describe(
    Scope,
    "What an API key was made for. Tokens and the command line spell it `contracts:read`; variables may do so, too.",
    CONTRACTS_READ="`contracts:read`: reading contracts and all that belongs to them.",
    CONTRACTS_WRITE="`contracts:write`: commands on contracts that move no money; the account's keys.",
    MONEY_WRITE="`money:write`: commands that move money: deposits, approvals, payouts; the account's members.",
    WEBHOOKS_MANAGE="`webhooks:manage`: endpoints and their deliveries; making or changing one, and sending events again, needs "
    "`contracts:read`, too.",
    DISPUTES_DECIDE="`disputes:decide`: deciding disputes.",
    OPERATOR="`operator`: acting as the operator of this deployment.",
)

describe(
    Side,
    "The two parties of a contract.",
    CLIENT="The account that pays.",
    FREELANCER="The account that delivers.",
)

describe(
    ActorKind,
    "Who causes something to happen.",
    ACCOUNT="An account, through one of its keys.",
    OPERATOR="The operator of this deployment.",
    PROVIDER="The payment provider, by a report.",
    CLOCK="A deadline that passed.",
    SYSTEM="The service itself, such as when it gives up an endpoint that doesn't answer.",
)

describe(
    ContractState,
    "Where a contract stands.",
    PROPOSED="Terms are on the table; the side that did not write the latest revision has the turn.",
    ACTIVE="Both sides agreed.",
    COMPLETED="Every milestone is closed and the freelancer was paid something; nothing is added any more.",
    ENDED="Ended early by a party, and everything is settled.",
    DECLINED="The side whose turn it was turned the proposal down.",
    WITHDRAWN="The side that wrote the latest revision took it back.",
    EXPIRED="Nobody answered the proposal within its offer window.",
)

describe(
    MilestoneState,
    "Where a milestone and its money stand. RELEASED, REFUNDED, SETTLED and CANCELLED are closed.",
    PLANNED="Agreed but not funded; the only state in which it can be edited, moved or removed.",
    FUNDING="A deposit was started and the payment provider has not confirmed it.",
    FUNDED="The money is held; it waits for its turn, or for the contract to be accepted.",
    ACTIVE="The money is held and work is under way.",
    SUBMITTED="Work was handed in; the client reviews, and silence releases the money when the review window has passed.",
    CHANGES_REQUESTED="The client sent the work back with a note; the review clock is stopped.",
    RELEASED="All of the money went to the freelancer.",
    REFUNDED="All of the money went back to the client.",
    SETTLED="The money was split.",
    CANCELLED="Removed, or ended, before it was funded.",
)

describe(
    ContractOrder,
    "The orders in which contracts are listed.",
    NEWEST="By their making, the newest first. A page never moves.",
    OLDEST="By their making, the oldest first. A page never moves.",
    RECENTLY_UPDATED="By their last change, the latest first. One that changes meanwhile moves.",
    LONGEST_UNCHANGED="By their last change, the earliest first. One that changes meanwhile moves.",
    DEADLINE="By their `nextDeadline`, the earliest first; without those that have none.",
)

describe(
    MilestoneOrder,
    "The orders in which milestones are listed.",
    PLAN="The newest contract's first, in each by position.",
    DUE="By their due date, the earliest first.",
    DUE_LAST="By their due date, the latest first.",
    RECENTLY_UPDATED="By their last change, the latest first. One that changes meanwhile moves.",
    LONGEST_UNCHANGED="By their last change, the earliest first. One that changes meanwhile moves.",
    DEADLINE="By their `nextDeadline`, the earliest first; without those that have none.",
)

describe(
    DepositState,
    "Where a client's deposit stands.",
    STARTED="The payment provider was asked and has not answered.",
    CONFIRMED="The money came.",
    FAILED="The payment provider could not take the money.",
    ABANDONED="Nobody waits for it any more; money that still comes is sent back.",
)

describe(
    DepositTerm,
    "What the first deposit covers.",
    FIRST="The first milestone.",
    ALL="All milestones: no single one is funded before a deposit for everything in this revision was confirmed.",
)

describe(
    OrderKind,
    "What the payment provider is asked to do.",
    DEPOSIT="Take the client's money.",
    REFUND="Pay the client back.",
    PAYOUT="Pay the freelancer.",
)

describe(
    OrderState,
    "What is known of an order to the payment provider.",
    STARTED="It waits for the provider.",
    PAID="The provider carried it out.",
    FAILED="The provider could not carry it out.",
    ABANDONED="It is no longer wanted.",
)

describe(
    Algorithm,
    "How requests to a webhook endpoint are signed, by Standard Webhooks.",
    name="WebhookAlgorithm",
    HMAC_SHA256="`v1`: with a secret that the receiver knows, too; every library of the standard checks it.",
    ED25519="`v1a`: with a key that only the service has; the receiver checks with the public key.",
)

describe(
    EndpointState,
    "Whether events are sent to a webhook endpoint.",
    name="WebhookEndpointState",
    ENABLED="Events are sent.",
    DISABLED="Nothing is sent; what happens meanwhile is kept, and sent once it is enabled.",
)

describe(
    DisabledReason,
    "Why nothing is sent to a webhook endpoint.",
    name="WebhookDisabledReason",
    REQUESTED="Its owner, or the operator, asked for it.",
    GONE="It answered with the status 410, Gone.",
    FAILING="It failed for five days without a success.",
)

describe(
    SessionEnding,
    "Why a session ended before its time.",
    REVOKED="Somebody ended it.",
    MAKER_REVOKED="The key that made it was revoked.",
    MEMBER_REMOVED="The member whose session it was left the account.",
    ACCOUNT_DISABLED="The operator disabled the account.",
)

describe(
    Action,
    "What can be asked of a contract or of what belongs to it; each is a mutation.",
    **{action.value: f"`{rule.mutation}`: {rule.purpose}" for action, rule in RULES.items()},
)

describe(
    ErrorCode,
    "What was refused, for programs to branch on. Codes never change their meaning.",
    NOT_FOUND="It doesn't exist, or you may not see it.",
    FORBIDDEN="You may see it, but not do this.",
    CONFLICT_OF_INTEREST="A mediator who belongs to a party.",
    VERSION_CONFLICT="It moved on since the version that you named; the payload carries it as it is now.",
    INVALID_STATE="Not in this state.",
    MILESTONE_LOCKED="Only planned milestones can be edited.",
    OUT_OF_SEQUENCE="Not before its turn.",
    SAME_PARTY="Client and freelancer are the same or share a member.",
    NEXT_NOT_FUNDED="There is no next milestone that what is left over could roll forward to.",
    STALE_CHANGE_REQUEST="The plan moved on and the change request no longer fits; `details` say which operation, and why.",
    INVALID_INPUT="A value that no state would accept.",
    INSUFFICIENT_FUNDS="More than there is to pay out.",
    IDEMPOTENCY_KEY_REUSED="The same idempotency key came with another input.",
)

describe(
    HintCode,
    "What a hint on a plan is about.",
    FEW_MILESTONES="Fewer than the usual three to five: much rests on each.",
    MANY_MILESTONES="More than the usual three to five: the work may be cut too small.",
    MISSING_TITLE="A milestone has no title.",
    MISSING_PURPOSE="A milestone doesn't say what it is for.",
    MISSING_DELIVERABLE="A milestone doesn't say what will be handed over.",
    VAGUE_DELIVERABLE="A deliverable says too little to tell when it is done.",
    MISSING_AMOUNT="A milestone has no price.",
    UNUSABLE_AMOUNT="An amount that no contract would take, such as zero or one with too many decimals.",
    SEVERAL_CURRENCIES="A contract has one currency; the plan or its budget names another.",
    TOTAL_DIFFERS_FROM_BUDGET="The prices don't add up to the budget.",
    ONE_MILESTONE_CARRIES_MOST="One milestone carries more than half of the money.",
    LARGE_FIRST_MILESTONE="The first milestone is the largest; a small one builds trust.",
    MISSING_DUE_DATE="A milestone has no due date.",
    DUE_IN_THE_PAST="A due date has passed already.",
    DUE_OUT_OF_ORDER="A milestone is due before one that comes earlier in the plan.",
    DUE_TOO_CLOSE="Unrealistically close: less than two days after today, or after the milestone before.",
)

describe(
    Hold,
    "What freezes a milestone that holds money, beside its state.",
    NONE="Nothing does.",
    REFUND_REQUEST="A refund request that waits for its answer.",
    DISPUTE="A dispute.",
)

describe(
    RefundState,
    "Where a refund request stands.",
    OPEN="It waits for the freelancer's answer.",
    ACCEPTED="The freelancer gave the money back.",
    DECLINED="The freelancer answered with a dispute.",
    WITHDRAWN="The client took it back.",
    UNANSWERED="Nobody answered in time, so the client was refunded.",
    OVERTAKEN="The money went before anybody answered: by an approval, a refund given, or an end.",
)

describe(
    DisputeState,
    "Where a dispute stands.",
    OPEN="The other side may accept or reject the claim; silence has its effect in the end.",
    MEDIATION="A mediator or the operator decides.",
    RESOLVED="It is over and the money went where it should.",
    WITHDRAWN="It was taken back.",
)

describe(
    ChangeRequestState,
    "Where a change request stands.",
    OPEN="It waits for the other side.",
    ACCEPTED="Its operations were carried out.",
    DECLINED="The plan stayed as it was.",
    WITHDRAWN="The side that filed it took it back.",
    STALE="The plan or the contract moved on and it no longer fits.",
)

describe(
    ChangeKind,
    "What one operation of a change request does.",
    ADD="Adds a milestone.",
    EDIT="Changes a planned milestone.",
    REMOVE="Takes a planned milestone out.",
    MOVE="Gives a planned milestone another place.",
    AMEND="Changes the due date or the deliverables of a milestone that holds money.",
)

describe(
    ReversalState,
    "What became of a deposit that the payment provider took back.",
    OPEN="The argument goes on; milestones that hold its money are frozen.",
    FORFEITED="The milestones gave its money up before the argument ended.",
    WON="It counts as won: milestones that hold its money go on. What came again is `givenBack`.",
    WITHDRAWN="The client took it back, which counts as won.",
    LOST="Milestones that held its money have lost it. It may still be won.",
)

describe(
    ReversalOutcome,
    "How the argument about a reversed deposit ended.",
    WON="It was won.",
    WITHDRAWN="The client took it back, which counts as won.",
    LOST="It was lost.",
)

describe(
    ActionKind,
    "What a payer has to do before a deposit can go on.",
    name="PayerActionKind",
    REDIRECT="Open an address in a browser: 3-D Secure, a bank's or a wallet's own page.",
    CONFIRM="Give the means of payment, or confirm it, with the provider's own script and a client secret.",
    BANK_TRANSFER="Send the money from a bank, with a reference.",
)

describe(
    OrderOutcome,
    "What a person found out about a refund or a payout.",
    PAID="The money arrived, or is on its way.",
    NEVER_HAPPENED="Nothing was paid, and nothing will be by what was asked of the provider so far.",
)

describe(
    DifferenceKind,
    "What differs between the payment provider's books and the ledger.",
    CONTRACT="What moved of a contract's money, and what crossed clearing for it.",
    MOVEMENT="A movement that belongs to no contract and is no withdrawal or fee of the operator's.",
    BALANCE="The provider's balance in a currency, and clearing with what is the operator's own.",
    ORDER="An order that was begun, or whose money is, at another provider than the one that is asked: nobody can look it up.",
)

describe(
    webhook_heads.Kind,
    "Why there is a delivery.",
    name="DeliveryKind",
    EVENT="The event happened, and the endpoint's filter let it through.",
    REPLAY="A stretch of the log was asked for with `replayEvents`.",
    REDELIVERY="One delivery was asked for once more with `redeliver`.",
    TEST="An event that never happened was asked for with `sendTestEvent`.",
    LOG_CUT="The log was cut by a restore, so that the receiver may have seen events that are no more.",
)

describe(
    webhook_heads.State,
    "How a delivery stands. All but PENDING are final.",
    name="DeliveryState",
    PENDING="Not delivered yet: it waits for its turn, is under way, or is tried again later.",
    DELIVERED="The receiver answered with a 2xx within 15 seconds.",
    FAILED="Given up after the last retry; the next delivery of the same contract says so.",
    CANCELLED="Its endpoint was deleted.",
)

describe(
    webhook_queries.Trigger,
    "Why an attempt was made.",
    name="AttemptTrigger",
    EVENT="The event happened.",
    REPLAY="A replay was asked for.",
    REDELIVERY="A redelivery was asked for.",
    TEST="A test was asked for.",
    LOG_CUT="The log was cut.",
    RETRY="An attempt before it came to nothing.",
)

describe(
    ErrorClass,
    "Why an attempt has no complete answer.",
    name="AttemptError",
    URL_REFUSED="The URL may not be sent to, by the rules for URLs of today.",
    DNS_FAILED="The name has no address.",
    ADDRESS_REFUSED="The name has an address that isn't on the internet: private, loopback, link-local or otherwise special.",
    CONNECT_FAILED="Nobody listens there, or the way there is closed.",
    TLS_FAILED="The receiver and we could not agree on an encrypted connection.",
    CERTIFICATE_REFUSED="The receiver's certificate has expired, is for another name, or is signed by nobody whom we trust.",
    DISCONNECTED="The receiver closed the connection before the answer was complete.",
    INVALID_ANSWER="What came back is no HTTP.",
    TIMEOUT="No complete answer within 15 seconds.",
    ABANDONED="The process that made it was lost; the receiver may have got it.",
    INTERRUPTED="The process that made it was stopped; the receiver may have got it.",
)
