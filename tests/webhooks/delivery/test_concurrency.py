"""How many requests may be under way: each rule by its name, then any course of events against a simple model."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.chance import often
from webhooks.delivery.concurrency import Capacity, Concurrency, Limits, Slot, Span

LIMITS = Limits(requests=6, endpoint_requests=2, endpoint_requests_max=4, half_open_requests=2, slow_seconds=2.0, run=3)
ALL = Span()


def take(slots: Concurrency, endpoint_id: str = "a", now: float = 0.0, *, is_half_open: bool = False) -> Slot:
    slot = slots.take(endpoint_id, now, is_half_open=is_half_open)
    assert slot is not None
    return slot


def taken_of(slots: Concurrency) -> dict[str, tuple[int, int]]:
    return dict(slots.capacity(0.0).endpoints)


def test_an_endpoint_that_has_not_answered_gets_a_few_requests_at_once() -> None:
    slots = Concurrency(LIMITS)
    take(slots)
    take(slots)
    assert slots.take("a", 0.0) is None
    assert slots.free_at("a", 0.0) == 0
    assert slots.free_at("b", 0.0) == 2


def test_each_success_opens_one_slot_more_up_to_a_limit() -> None:
    slots = Concurrency(LIMITS)
    held = take(slots)
    for _ in range(3):
        slots.ended(held, is_success=True)
        held = slots.pass_on(held, 0.0)
    assert taken_of(slots) == {"a": (1, 4)}


def test_a_timeout_takes_all_slots_but_one() -> None:
    slots = Concurrency(LIMITS)
    first, second = take(slots), take(slots)
    slots.ended(first, has_timed_out=True)
    slots.release(first, 0.0)
    assert slots.take("a", 0.0) is None, "the other one has it"
    slots.ended(second)
    slots.release(second, 0.0)


def test_another_failure_changes_nothing() -> None:
    slots = Concurrency(LIMITS)
    first, _ = take(slots), take(slots)
    slots.ended(first)
    slots.release(first, 0.0)
    assert slots.free_at("a", 0.0) == 1


def test_what_an_endpoint_earned_is_kept_for_a_moment_after_its_last_request_and_then_forgotten() -> None:
    slots = Concurrency(LIMITS)
    held = take(slots)
    slots.ended(held, is_success=True)
    slots.release(held, 5.0)
    kept, over = 5.0 + LIMITS.kept_seconds, 5.1 + LIMITS.kept_seconds
    assert slots.free_at("a", kept) == LIMITS.endpoint_requests + 1
    assert slots.capacity(kept).at("a") == LIMITS.endpoint_requests + 1
    assert slots.free_at("a", over) == LIMITS.endpoint_requests
    assert slots.capacity(over).endpoints == {}


def test_an_endpoint_that_comes_back_at_once_goes_on_with_what_it_had_come_to() -> None:
    slots = Concurrency(LIMITS)
    for success in (True, False):
        held = take(slots)
        slots.ended(held, is_success=success, has_timed_out=not success)
        slots.release(held, 0.0)
    assert slots.free_at("a", 0.0) == 1
    take(slots)
    assert taken_of(slots) == {"a": (1, 1)}


def test_what_was_kept_of_many_endpoints_is_forgotten_in_turn() -> None:
    slots = Concurrency(LIMITS)
    for now, endpoint_id in enumerate("aba"):
        slots.release(take(slots, endpoint_id, now * 0.4), now * 0.4)
    assert list(slots.capacity(1.3).endpoints) == ["b", "a"]
    assert list(slots.capacity(1.5).endpoints) == ["a"]
    assert slots.capacity(2.0).endpoints == {}


def test_a_slow_endpoint_gets_no_more_until_it_answers() -> None:
    slots = Concurrency(LIMITS)
    oldest = take(slots, now=0.0)
    assert slots.free_at("a", 2.0) == 1
    assert slots.free_at("a", 2.1) == 0
    assert slots.take("a", 2.1) is None
    slots.ended(oldest)
    assert slots.free_at("a", 2.1) == 1, "its slot is taken until the database knows, but slow it is no more"


def test_all_endpoints_together_have_a_limit() -> None:
    slots = Concurrency(LIMITS)
    for endpoint_id in "aabbcc":
        assert not slots.is_full
        take(slots, endpoint_id)
    assert slots.is_full
    assert slots.take("d", 0.0) is None
    assert slots.capacity(0.0).requests == 0


def test_a_half_open_endpoint_has_one_request_and_no_others_beside_it() -> None:
    slots = Concurrency(LIMITS)
    trial = take(slots, is_half_open=True)
    assert slots.take("a", 0.0, is_half_open=True) is None
    assert slots.take("a", 0.0) is None
    slots.ended(trial, is_success=True)
    slots.pass_on(trial, 0.0)
    assert slots.free_at("a", 0.0) == 2, "it answered"


def test_an_endpoint_with_requests_under_way_gets_no_trial_beside_them() -> None:
    slots = Concurrency(LIMITS)
    take(slots)
    assert slots.take("a", 0.0, is_half_open=True) is None


def test_half_open_endpoints_together_have_a_limit_that_leaves_the_others_theirs() -> None:
    slots = Concurrency(LIMITS)
    first = take(slots, "a", is_half_open=True)
    take(slots, "b", is_half_open=True)
    assert slots.is_full
    assert slots.take("c", 0.0, is_half_open=True) is None
    take(slots, "d")
    slots.release(first, 0.0)
    take(slots, "c", is_half_open=True)


def test_a_lane_passes_its_slot_on_so_often_and_then_lets_others_have_it() -> None:
    slots = Concurrency(LIMITS)
    held = take(slots)
    for _ in range(LIMITS.run):
        assert slots.may_pass_on(held)
        slots.ended(held, is_success=True)
        held = slots.pass_on(held, 0.0)
    assert not slots.may_pass_on(held)


def test_a_slot_that_is_passed_on_is_slow_by_its_own_time() -> None:
    slots = Concurrency(LIMITS)
    first, second = take(slots, now=0.0), take(slots, now=1.0)
    slots.ended(first, is_success=True)
    slots.pass_on(first, 1.5)
    assert slots.free_at("a", 2.9) == 1, "the oldest one is of 1.0 now"
    assert slots.free_at("a", 3.1) == 0
    slots.ended(second)
    assert slots.free_at("a", 3.1) == 1


@pytest.mark.parametrize("again", ["release", "pass_on"])
def test_a_slot_is_given_back_once(again: str) -> None:
    slots = Concurrency(LIMITS)
    held, _ = take(slots), take(slots)
    slots.ended(held)
    slots.release(held, 0.0)
    with pytest.raises(KeyError):
        slots.release(held, 0.0) if again == "release" else slots.pass_on(held, 0.0)
    assert slots.capacity(0.0).requests == 5


def test_an_endpoint_of_which_all_was_taken_is_awaited_as_soon_as_it_has_a_slot() -> None:
    slots = Concurrency(LIMITS)
    before = slots.capacity(0.0)
    first, _ = take(slots), take(slots)
    slots.looked(before, {"a": 2}, half_open=frozenset(), span=ALL)
    assert not slots.is_awaited(0.0)
    slots.ended(first)
    slots.release(first, 0.0)
    assert slots.is_awaited(0.0)


def test_an_endpoint_that_was_passed_over_is_awaited_too() -> None:
    slots = Concurrency(LIMITS)
    first, _ = take(slots), take(slots)
    slots.looked(slots.capacity(0.0), {}, half_open=frozenset(), span=ALL)
    slots.release(first, 0.0)
    assert slots.is_awaited(0.0)


def test_an_endpoint_that_had_less_due_than_slots_is_not_awaited_nor_looked_at_again() -> None:
    slots = Concurrency(LIMITS)
    before = slots.capacity(0.0)
    first = take(slots)
    slots.looked(before, {"a": 1}, half_open=frozenset(), span=ALL)
    slots.release(first, 0.0)
    assert not slots.is_awaited(0.0)


def test_a_half_open_endpoint_is_awaited_after_its_one_request() -> None:
    slots = Concurrency(LIMITS)
    before = slots.capacity(0.0)
    trial = take(slots, is_half_open=True)
    slots.looked(before, {"a": 1}, half_open={"a"}, span=ALL)
    assert not slots.is_awaited(0.0)
    slots.release(trial, 0.0)
    assert slots.is_awaited(0.0)


def test_a_look_says_nothing_of_endpoints_that_it_did_not_come_to() -> None:
    slots = Concurrency(LIMITS)
    first, _ = take(slots, "b"), take(slots, "b")
    slots.looked(slots.capacity(0.0), {}, half_open=frozenset(), span=ALL)
    slots.release(first, 0.0)
    slots.looked(slots.capacity(0.0), {}, half_open=frozenset(), span=Span("b", ""))
    slots.looked(slots.capacity(0.0), {}, half_open=frozenset(), span=Span("", "a"))
    assert slots.is_awaited(0.0)
    slots.looked(slots.capacity(0.0), {}, half_open=frozenset(), span=Span("a", "b"))
    assert not slots.is_awaited(0.0)


def test_who_took_as_many_as_there_might_be_may_have_left_some() -> None:
    slots = Concurrency(LIMITS)
    capacity = slots.capacity(0.0)
    assert capacity.is_used_up(LIMITS.requests, half_open=0)
    assert not capacity.is_used_up(LIMITS.requests - 1, half_open=0)
    assert capacity.is_used_up(LIMITS.half_open_requests, half_open=LIMITS.half_open_requests)
    assert not capacity.is_used_up(0, half_open=0)


def taken_at(capacity: Capacity, endpoint_id: str) -> int:
    taken, _ = capacity.endpoints.get(endpoint_id, (0, 0))
    return taken


ENDPOINTS = st.sampled_from("abcde")


class AnyCourse(RuleBasedStateMachine):
    """A process that looks, sends, hands back; what is due at each endpoint is the model's own count.

    `wakes` is whether somebody was told to look again, as a bell would: what is due and could go out may wait only then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slots = Concurrency(LIMITS)
        self.now = 0.0
        self.due: Counter[str] = Counter()
        self.half_open: set[str] = set()
        self.under_way: list[Slot] = []
        self.ended: list[tuple[Slot, bool]] = []
        self.wakes = False

    @property
    def held(self) -> list[Slot]:
        return [*self.under_way, *(slot for slot, _ in self.ended)]

    @rule(endpoint_id=ENDPOINTS, count=st.integers(1, 5))
    def something_falls_due(self, endpoint_id: str, count: int) -> None:
        self.due[endpoint_id] += count
        self.wakes = True

    @rule()
    def look(self) -> None:
        """As a claim does: in turns, as far as the capacity goes."""
        capacity, taken, trials = self.slots.capacity(self.now), Counter[str](), set[str]()
        for _ in range(LIMITS.endpoint_requests_max):
            for endpoint_id in sorted(self.due):
                if not self.due[endpoint_id] or taken.total() == capacity.requests:
                    continue
                if endpoint_id in self.half_open:
                    room = len(trials) < capacity.half_open_requests and not taken_at(capacity, endpoint_id)
                    room = room and endpoint_id not in trials
                    trials |= {endpoint_id} if room else set()
                else:
                    room = taken[endpoint_id] < capacity.at(endpoint_id)
                if room:
                    taken[endpoint_id] += 1
                    self.due[endpoint_id] -= 1
                    self.begin(endpoint_id)
        self.slots.looked(capacity, taken, half_open=trials, span=ALL)
        is_used_up = capacity.is_used_up(taken.total(), half_open=len(trials))
        self.wakes = is_used_up or self.slots.is_awaited(self.now)

    def begin(self, endpoint_id: str) -> None:
        slot = self.slots.take(endpoint_id, self.now, is_half_open=endpoint_id in self.half_open)
        assert slot is not None, "whoever keeps to the capacity gets its slots"
        self.under_way.append(slot)

    @rule(endpoint_id=ENDPOINTS)
    def somebody_else_asks_for_a_slot(self, endpoint_id: str) -> None:
        """As a fan-out does, which may come too late."""
        slot = self.slots.take(endpoint_id, self.now, is_half_open=endpoint_id in self.half_open)
        if slot is not None:
            self.under_way.append(slot)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0), what=st.sampled_from(["success", "timeout", "failure"]))
    def a_request_ends(self, which: int, what: str) -> None:
        slot = self.under_way.pop(which % len(self.under_way))
        self.slots.ended(slot, is_success=what == "success", has_timed_out=what == "timeout")
        self.ended.append((slot, what == "success"))
        if what == "timeout":
            self.half_open.add(slot.endpoint_id)
        elif what == "success":
            self.half_open.discard(slot.endpoint_id)

    @precondition(lambda self: self.ended)
    @rule(has_next=st.booleans())
    def the_database_knows(self, has_next: bool) -> None:
        was_full = self.slots.is_full
        batch, self.ended = self.ended, []
        for slot, is_success in batch:
            if has_next and is_success and self.slots.may_pass_on(slot):
                self.under_way.append(self.slots.pass_on(slot, self.now))
            else:
                self.slots.release(slot, self.now)
        self.wakes = self.wakes or was_full or self.slots.is_awaited(self.now)

    @rule(seconds=st.sampled_from([0.5, 1.9, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def every_slot_is_counted_once(self) -> None:
        capacity = self.slots.capacity(self.now)
        assert capacity.requests == LIMITS.requests - len(self.held)
        assert capacity.half_open_requests == LIMITS.half_open_requests - sum(one.is_half_open for one in self.held)
        by_endpoint = Counter(slot.endpoint_id for slot in self.held)
        assert {one: taken for one, (taken, _) in capacity.endpoints.items() if taken} == by_endpoint

    @invariant()
    def no_limit_is_passed(self) -> None:
        assert len(self.held) <= LIMITS.requests
        assert sum(slot.is_half_open for slot in self.held) <= LIMITS.half_open_requests
        by_endpoint = Counter(slot.endpoint_id for slot in self.held)
        assert max(by_endpoint.values(), default=0) <= LIMITS.endpoint_requests_max
        for slot in self.held:
            assert not slot.is_half_open or by_endpoint[slot.endpoint_id] == 1
            assert slot.run <= LIMITS.run

    @invariant()
    def nothing_waits_for_a_slot_that_is_free(self) -> None:
        """What is due goes out with the next look; if nobody was told to look, there is no slot for it."""
        capacity = self.slots.capacity(self.now)
        if self.wakes or self.ended or capacity.requests == 0:
            return
        for endpoint_id, count in self.due.items():
            if endpoint_id in self.half_open:
                room = capacity.half_open_requests > 0 and not taken_at(capacity, endpoint_id)
            else:
                room = capacity.at(endpoint_id) > 0
            assert not (count and room), f"{endpoint_id} has a slot and {count} due, and nobody looks"


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=often(100, deep=5_000), stateful_step_count=60, deadline=None)
