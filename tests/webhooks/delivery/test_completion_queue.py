"""What waits to be written down: in batches, each delivery once in each, and a poison one found and given up."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from webhooks.delivery.completion_queue import BATCH_MAX, Completed, CompletionQueue
from webhooks.delivery.lanes import Head, Kind, Lease
from webhooks.delivery.retries import Outcome, Verdict


def done(delivery_id: str) -> Completed:
    head = Head(
        endpoint_id="whe_1", lane="ctr_1", delivery_id=delivery_id, position=1, event_id="evt_1", kind=Kind.EVENT,
        event_body="{}", texts={}, failures=0, given_up=None,
        trace=None, endpoint_version=1,
    )  # fmt: skip
    return Completed(
        head=head,
        lease=Lease(token=uuid4(), from_seconds=0.0, at=datetime.now(UTC)),
        verdict=Verdict(outcome=Outcome.WAIT),
    )


def queue_of(*ids: str) -> CompletionQueue:
    queue = CompletionQueue()
    for one in ids:
        queue.add(done(one))
    return queue


def taken(queue: CompletionQueue) -> list[str]:
    return [one.head.delivery_id for one in queue.take()]


def test_a_batch_has_the_first_ones_and_no_more_than_a_statement_takes() -> None:
    ids = [f"dlv_{number}" for number in range(BATCH_MAX + 2)]
    queue = queue_of(*ids)
    assert taken(queue) == ids[:BATCH_MAX]
    assert taken(queue) == ids[BATCH_MAX:]
    assert not queue


def test_two_answers_to_one_delivery_are_never_in_one_batch_and_keep_their_order() -> None:
    queue = queue_of("a", "b", "a", "c", "a")
    assert [taken(queue) for _ in range(3)] == [["a", "b", "c"], ["a"], ["a"]]
    assert not queue


def test_a_batch_that_was_not_written_comes_again() -> None:
    queue = queue_of("a", "b")
    batch = queue.take()
    queue.add(done("c"))
    queue.put_back(batch)
    assert sorted(taken(queue)) == ["a", "b", "c"]


def test_of_a_refused_batch_each_goes_alone_and_only_the_poison_one_is_given_up() -> None:
    queue = queue_of("a", "poison", "b")
    assert queue.refuse(queue.take()) is None
    queue.add(done("c"))
    given_up = []
    written = []
    while queue:
        batch = queue.take()
        if "poison" in [one.head.delivery_id for one in batch]:
            found = queue.refuse(batch)
            assert found is not None
            given_up.append(found.head.delivery_id)
        else:
            written.append([one.head.delivery_id for one in batch])
    assert (given_up, written) == (["poison"], [["a"], ["b"], ["c"]])
