"""Judges a soak when it is quiet: what people were told against what the tables, the log, and everybody who follows it say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Final

from escrow import cursors
from escrow.agreement.evolve import evolve
from escrow.agreement.state import Surroundings
from escrow.audit.streams import Stream, fold, load
from escrow.database import fetch
from escrow.payments.stripe.adapter import Stripe
from escrow.store.read import load_all
from escrow.values import replace
from tests.soak import judging
from tests.soak.complaints import Complaint, complaints, is_engines, is_full_disks, is_providers, is_slow
from tests.soak.deployment.asking import Person
from tests.soak.deployment.blows import Blows
from tests.soak.deployment.deals import Crowd, Deal
from tests.soak.deployment.following import Follower, Heard, Mirror
from tests.soak.deployment.linearizing import Operation, check
from tests.soak.deployment.processes import SAY_ELSE, House
from tests.soak.deployment.receiving import Receiver, disorder
from tests.soak.deployment.specification import Known, OfContract, Said
from tests.soak.deployment.watching import Watch
from tests.soak.judging import Wrong, batched
from tests.stand_ins.stripe.serving import Playing
from tests.webhooks.partner import Partners, matching
from webhooks.audit import audit_deliveries

SHOWN_MAX: Final = 20
JUDGED_AT_ONCE: Final = 1_000
"""Contracts whose events are in memory at a time: all of a million commands would be some ten gigabytes."""
PROPOSAL: Final = ("contract.proposed", "milestone.added")
"""The events of a proposal."""


def refuse(wrong: Sequence[str]) -> None:
    """Raises `Wrong` if there is anything."""
    if wrong:
        raise Wrong(f"{len(wrong)} things are wrong:\n" + "\n".join(wrong[:SHOWN_MAX]))


async def judge_effects(crowd: Crowd) -> int:
    """No accepted command is lost, none happened twice, none that was refused happened at all; how many texts that are."""
    found = Counter({row["words"]: row["n"] for row in await fetch(_TEXTS, f"{crowd.run}-%")})
    wrong, allowed = [], {"accepted": (1,), "refused": (0,), "unknown": (0, 1)}
    for deal in crowd.deals:
        for text, became in deal.said.items():
            if found[text] not in allowed[became]:
                wrong.append(f"{text} of {deal.id} was {became}, and is there {found[text]} times")
    said = {text for deal in crowd.deals for text in deal.said}
    wrong += [f"{text} is there, and nobody said it" for text in found.keys() - said]
    twice = await fetch(_TWICE, [deal.id for deal in crowd.deals])
    wrong += [f"{row['type']} happened {row['n']} times to {row['what']}" for row in twice]
    refuse(wrong)
    return len(said)


async def judge_histories(crowd: Crowd) -> int:
    """Everything that people were told of each contract can have happened one after the other; how many operations that are."""
    operations = 0
    deals = {deal.id: deal for deal in crowd.deals}
    for ids in batched((deal.id for deal in crowd.deals if deal.offer_hours is None), JUDGED_AT_ONCE):
        streams = await load(ids)
        loaded = {one.state.id: one for one in await load_all(ids) if one.state is not None}
        for contract_id in ids:
            deal = deals[contract_id]
            refuse(_wrong_in(deal, _as_proposed(streams[contract_id]), loaded[contract_id].around))
            operations += len(deal.history)
    return operations


def _wrong_in(deal: Deal, known: Known, around: Surroundings) -> list[str]:
    """Why a history is impossible."""
    verdict = check(known, deal.history, OfContract(replace(around, now=known.contract.offered_at)))
    wrong = [] if verdict.is_linearizable else [f"{deal.id} can't have happened:"]
    if wrong:
        wrong += ["possible is", *map(_told, verdict.order), "and then one of"]
        wrong += map(_told, verdict.stuck)
    latest = sorted(deal.versions, key=lambda one: one[1])
    for began, _, version in deal.versions:
        before = max((one[2] for one in latest if one[1] < began), default=0)
        if version < before:
            wrong.append(f"{deal.id} had version {version} after it had {before}")
    return wrong


def _told(one: Operation[Said]) -> str:
    """An operation in a line."""
    said = one.said
    return f"  {one.began:.3f} to {one.ended:.3f} {said}"


async def judge_followers(followers: Sequence[Follower], mirrors: Sequence[Mirror]) -> int:
    """Each heard every event that it may see, once and in order; copies say what the tables say. How many events that are."""
    wrong, events = [], 0
    for one in followers:
        expected = await visible(one.person)
        events += len(expected)
        how = "socket" if one.by_socket else "event stream"
        wrong += [
            f"a {how} was told {times} times, explained by no blow: {said}" for said, times in one.refused.items()
        ]
        if one.heard != expected:
            heard = Counter(one.heard)
            missing = [each for each in expected if each not in heard]
            doubled = [each for each, n in heard.items() if n > 1]
            wrong.append(
                f"a {how} heard {len(one.heard)} of {len(expected)}; missing {missing[:3]}, twice {doubled[:3]}"
            )
    for mirror in mirrors:
        account_id = mirror.person.account_id
        contracts = {row["id"]: (row["state"], row["version"]) for row in await fetch(_CONTRACTS, account_id)}
        milestones = {row["id"]: row["state"] for row in await fetch(_MILESTONES, account_id)}
        expected_events = [row["event_id"] for row in await fetch(_VISIBLE_SQL, account_id)]
        if mirror.events != expected_events:
            wrong.append(f"a mirror read {len(mirror.events)} events of {len(expected_events)}, or in another order")
        wrong += [
            f"{each} is {mirror.contracts.get(each)} in a mirror, and {truth} here"
            for each, truth in contracts.items()
            if mirror.contracts.get(each) != truth
        ]
        wrong += [
            f"{each} is {mirror.milestones.get(each)} in a mirror, and {truth} here"
            for each, truth in milestones.items()
            if mirror.milestones.get(each) != truth
        ]
        events += len(expected_events)
    refuse(wrong)
    return events


async def judge_webhooks(receivers: dict[str, Receiver], partner: Partners) -> int:
    """Each endpoint took every event that fits it, in the order of its stream; how many that are. By endpoint."""
    wrong, taken_in_all = [], 0
    wanted = await matching()
    for endpoint_id, receiver in receivers.items():
        taken = receiver.taken(partner)
        taken_in_all += len(taken)
        wrong += receiver.wrong + disorder(taken)
        expected = {event_id for event_id, to in wanted if to == endpoint_id}
        missing, more = expected - {one.event_id for one in taken}, {one.event_id for one in taken} - expected
        wrong += [f"{one} never came to {receiver.path}" for one in missing]
        wrong += [f"{one} came to {receiver.path}, and isn't for it" for one in more]
    wrong += [str(one) async for one in audit_deliveries()]
    refuse(wrong)
    return taken_in_all


async def judge_deadlines(crowd: Crowd, watch: Watch) -> int:
    """Each offer that nobody answered ended once and at its time; nothing was early, and late only with a red light."""
    early = await fetch(_EARLY)
    wrong = [*watch.wrong, *(f"{row['type']} of {row['stream_id']} came before its time" for row in early)]
    hours = {deal.id: deal.offer_hours for deal in crowd.deals if deal.offer_hours is not None}
    rows = await fetch(_EXPIRED, list(hours))
    wrong += [
        f"{row['id']} of {row['offered_at']} ended {row['n']} times, at {row['ended_at']}"
        for row in rows
        if row["n"] != 1 or row["ended_at"] != row["offered_at"] + timedelta(hours=hours[row["id"]])
    ]
    if len(rows) != len(hours):
        wrong.append(f"{len(hours) - len(rows)} offers never ended")
    refuse(wrong)
    return len(rows)


async def judge_books(stand_in: Playing, provider: Stripe) -> None:
    """The provider's books and ours say the same, no order moved money twice or not at all, and the audit is clean."""
    await judging.judge(stand_in, provider)


def judge_logs(house: House, blows: Blows) -> int:
    """Nothing failed but by a blow: an engine that was away, a process that stood still, a disk that was full while it was, a
    provider at its worst. How many lines tell of that."""
    wrong, explained = [], 0
    for log in house.logs():
        for one in complaints(log, SAY_ELSE):
            if is_engines(one) or is_providers(one) or is_slow(one) or _has_no_room(one, blows):
                explained += 1
            else:
                wrong.append(f"a fault of ours: {one}")
    refuse(wrong)
    return explained


def _has_no_room(one: Complaint, blows: Blows) -> bool:
    since, until = (written.get(one.process, 0) for written in blows.full)
    return is_full_disks(one) and since <= one.place < until


async def visible(person: Person) -> list[Heard]:
    """Every event that somebody may see, in order."""
    rows = await fetch(_VISIBLE_SQL, person.account_id)
    return [(cursors.print_cursor(row["position"]), row["stream_id"], row["sequence"]) for row in rows]


def _as_proposed(stream: Stream) -> Known:
    """The contract as its proposal left it, before anybody did anything else."""
    beginning = list(takewhile(lambda event: event["type"] in PROPOSAL, stream.events))
    contract, _ = fold(Stream(stream.id, beginning, stream.texts), evolve)
    assert contract is not None
    return Known(contract)


_TEXTS: Final = """
    SELECT body::jsonb #>> '{}' AS words, count(*) AS n FROM texts WHERE body LIKE '"' || $1 GROUP BY body
"""

# What can happen only once to the thing that it happens to.
_TWICE: Final = """
    SELECT type, what, count(*) AS n FROM (
        SELECT type, stream_id || coalesce(body::jsonb -> 'data' ->> 'milestoneId', '')
            || coalesce(body::jsonb -> 'data' ->> 'depositId', '') || coalesce(body::jsonb -> 'data' ->> 'orderId', '') AS what
        FROM events WHERE stream_id = ANY ($1::text[]) AND type = ANY (ARRAY[
            'contract.proposed', 'contract.accepted', 'contract.declined', 'contract.withdrawn', 'contract.expired',
            'contract.completed', 'deposit.started', 'deposit.confirmed', 'milestone.activated', 'milestone.released',
            'payout.started', 'payout.paid'])
    ) AS happened GROUP BY type, what HAVING count(*) > 1
"""

_CONTRACTS: Final = "SELECT id, state, version FROM contracts WHERE $1 IN (client_id, freelancer_id)"
_MILESTONES: Final = """
    SELECT milestone.id, milestone.state FROM milestones AS milestone
    JOIN contracts AS contract ON contract.id = milestone.contract_id
    WHERE $1 IN (contract.client_id, contract.freelancer_id)
"""

_VISIBLE_SQL: Final = """
    SELECT placed.position, placed.event_id, placed.stream_id, event.sequence
    FROM log_positions AS placed JOIN events AS event ON event.id = placed.event_id
    LEFT JOIN contracts AS contract ON contract.id = placed.stream_id
    WHERE $1 IN (placed.stream_id, contract.client_id, contract.freelancer_id) ORDER BY placed.position
"""

_EXPIRED: Final = """
    SELECT contract.id, contract.offered_at, count(*) AS n, max(event.occurred_at) AS ended_at
    FROM contracts AS contract JOIN events AS event ON event.stream_id = contract.id AND event.type = 'contract.expired'
    WHERE contract.id = ANY ($1::text[]) GROUP BY contract.id
"""

# An event bears the time at which what it tells was due, and its place in the log the one at which it was given, by the
# database's clock: later, unless the event's own time hadn't come yet. Then the place bears that, since it is never before.
_EARLY: Final = """
    SELECT event.type, event.stream_id FROM log_positions AS placed JOIN events AS event ON event.id = placed.event_id
    WHERE placed.placed_at <= event.occurred_at ORDER BY placed.position
"""
