"""Events as JSON and back: words apart from facts, nothing lost, nothing approximated, erased words read as empty."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from escrow import codec
from escrow.access import Side
from escrow.agreement.events import (
    ContractProposed,
    ContractWithdrawn,
    DepositReturned,
    Event,
    MilestoneEdited,
    MilestoneSubmitted,
)
from escrow.agreement.state import Attachment, DepositTerm, Fees, Windows
from escrow.codec import ERASED, camel, decode, encode, payload_schema, print_time, read_time
from escrow.money import Money

PROPOSED = ContractProposed(
    client_id="acc_1",
    freelancer_id="acc_2",
    written_by=Side.FREELANCER,
    revision=1,
    plan_version=1,
    currency="USD",
    time_zone="Europe/Lisbon",
    budget=None,
    deposit_term=DepositTerm.FIRST,
    windows=Windows(),
    fees=Fees(300, 1000),
    title="A website",
    description="",
)
SUBMITTED = MilestoneSubmitted(
    milestone_id="mil_1",
    submission_id="sub_1",
    number=2,
    review_due_at=datetime(2026, 1, 19, 12, 0, 0, 5, tzinfo=UTC),
    message="Done",
    links=("https://example.com",),
    attachments=(Attachment("page.pdf", "0" * 64),),
)
EDITED = MilestoneEdited(
    milestone_id="mil_1", plan_version=3, amount=Money(125_000, "USD"), due_on=date(2026, 3, 31), deliverables=()
)


def through_json(value: Any) -> Any:
    return json.loads(rfc8785.dumps(value))


def test_facts_are_named_in_camel_case_and_words_come_apart() -> None:
    data, texts = encode(SUBMITTED)
    assert data == {
        "milestoneId": "mil_1",
        "submissionId": "sub_1",
        "number": 2,
        "reviewDueAt": "2026-01-19T12:00:00.000005Z",
    }
    assert texts == {
        "message": "Done",
        "links": ["https://example.com"],
        "attachments": [{"name": "page.pdf", "sha256": "0" * 64}],
    }


def test_what_is_absent_is_left_out_and_what_is_empty_is_not() -> None:
    data, texts = encode(EDITED)
    assert set(data) == {"milestoneId", "planVersion", "amount", "dueOn"}
    assert texts == {"deliverables": []}
    assert encode(PROPOSED)[1] == {"title": "A website", "description": ""}
    assert "budget" not in encode(PROPOSED)[0]


@pytest.mark.parametrize("event", [PROPOSED, SUBMITTED, EDITED], ids=lambda event: event.type)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    data, texts = through_json(encode(event))
    assert decode(type(event), data, texts) == event


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
)
def test_every_word_in_every_script_comes_back(word: str, links: list[str]) -> None:
    event = replace(SUBMITTED, message=word, links=tuple(links))
    data, texts = through_json(encode(event))
    assert decode(MilestoneSubmitted, data, texts) == event
    assert decode(ContractWithdrawn, *through_json(encode(ContractWithdrawn(revision=1, message=word)))).message == word


@pytest.mark.parametrize(
    "word", ["é", "e\u0301", "👩‍🚀", "\u202eabc", "\u2028", "\ufeff", '"\\/\b\f\n\r\t', "\x01\x1f\x7f", "𐍈", "\uffff"]
)
def test_words_are_neither_normalised_nor_cleaned(word: str) -> None:
    data, texts = through_json(encode(replace(SUBMITTED, message=word)))
    assert decode(MilestoneSubmitted, data, texts).message == word


@given(st.integers(0, 10**18), st.sampled_from(["JPY", "USD", "BHD"]))
def test_money_in_an_event_is_exact(minor: int, currency: str) -> None:
    event = DepositReturned(deposit_id="dep_1", order_id="pay_1", amount=Money(minor, currency))
    data, texts = through_json(encode(event))
    assert isinstance(data["amount"]["amount"], str)
    assert decode(DepositReturned, data, texts) == event


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - made aware by the strategy
def test_a_time_comes_back_to_the_microsecond(at: datetime) -> None:
    assert read_time(print_time(at)) == at
    assert print_time(at).endswith("Z")
    assert len(print_time(at)) == 27


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware by the strategy
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware by the strategy
)
def test_texts_of_times_sort_as_times_do(one: datetime, other: datetime) -> None:
    assert (print_time(one) < print_time(other)) == (one < other)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3)), timezone(timedelta(0), "Z")])))
@example(datetime(2026, 1, 1, tzinfo=UTC))
@example(datetime(999, 12, 31, 23, 59, 59, 1, tzinfo=UTC))
def test_a_time_has_six_decimals_and_four_digits_for_its_year(at: datetime) -> None:
    try:
        expected = at.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        return
    assert print_time(at) == expected.replace("+00:00", "Z")


def test_times_are_printed_in_utc_whatever_zone_they_came_in() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert print_time(datetime(2026, 1, 1, 8, 30, tzinfo=tokyo)) == "2025-12-31T23:30:00.000000Z"


def test_erased_words_read_as_empty_and_the_facts_stay() -> None:
    data, texts = encode(SUBMITTED)
    mute = decode(MilestoneSubmitted, data, dict.fromkeys(texts, ERASED))
    assert (mute.message, mute.links, mute.attachments) == ("", (), ())
    assert replace(mute, message="Done", links=SUBMITTED.links, attachments=SUBMITTED.attachments) == SUBMITTED


def test_an_erased_word_is_told_from_one_that_was_never_said() -> None:
    said, unsaid = ContractWithdrawn(revision=1, message="Sorry"), ContractWithdrawn(revision=1)
    assert decode(ContractWithdrawn, encode(said)[0], {"message": ERASED}).message == ""
    assert decode(ContractWithdrawn, encode(unsaid)[0], {}).message is None


def test_one_text_is_erased_and_the_others_stay() -> None:
    data, texts = encode(SUBMITTED)
    partly = decode(MilestoneSubmitted, data, texts | {"links": ERASED})
    assert (partly.message, partly.links, partly.attachments) == ("Done", (), SUBMITTED.attachments)


@pytest.mark.parametrize("lost", ["milestoneId", "number", "reviewDueAt"])
def test_an_event_that_lacks_a_fact_is_not_read(lost: str) -> None:
    data, texts = encode(SUBMITTED)
    del data[lost]
    with pytest.raises(ValueError, match=f"lacks its “{lost}”"):
        decode(MilestoneSubmitted, data, texts)


def test_an_event_that_lacks_a_required_text_is_not_read() -> None:
    data, texts = encode(SUBMITTED)
    with pytest.raises(ValueError, match="lacks its “message”"):
        decode(MilestoneSubmitted, data, {key: value for key, value in texts.items() if key != "message"})


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda data: data | {"writtenBy": "NOBODY"}, ValueError),
        (lambda data: data | {"revision": "one"}, ValueError),
        (lambda data: data | {"windows": {"offerHours": 1}}, ValueError),
        (lambda data: data | {"budget": {"amount": "ten", "currency": "USD"}}, ValueError),
    ],
)
def test_a_damaged_payload_is_not_read(
    spoil: Callable[[dict[str, Any]], dict[str, Any]], error: type[Exception]
) -> None:
    data, texts = encode(PROPOSED)
    with pytest.raises(error):
        decode(ContractProposed, spoil(data), texts)


def test_the_schema_of_a_payload_names_its_facts_and_the_hashes_of_its_words() -> None:
    schema = payload_schema(MilestoneEdited)
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"milestoneId", "planVersion", "amount", "dueOn"}
    texts = schema["properties"]["texts"]
    assert set(texts["properties"]) == {"title", "purpose", "deliverables", "message"}
    assert texts["required"] == []
    assert schema["properties"]["dueOn"] == {"type": "string", "format": "date"}


def test_required_words_make_the_texts_required() -> None:
    schema = payload_schema(MilestoneSubmitted)
    assert "texts" in schema["required"]
    assert set(schema["properties"]["texts"]["required"]) == {"message", "links", "attachments"}


@pytest.mark.parametrize(
    ("name", "key"), [("title", "title"), ("review_due_at", "reviewDueAt"), ("client_bps", "clientBps")]
)
def test_names_become_camel_case(name: str, key: str) -> None:
    assert camel(name) == key


def test_words_about_facts_name_them_as_they_are_sent() -> None:
    @dataclass(frozen=True)
    class Told:
        """Until `review_due_at`, as
        `milestone.released` says: `due`."""

    assert codec.in_words(Told) == "Until `reviewDueAt`, as `milestone.released` says: `due`."


def test_a_field_of_a_type_that_has_no_json_is_refused_when_it_is_first_met() -> None:
    @dataclass(frozen=True)
    class Strange:
        type: ClassVar = "strange"
        share: float = 0.5

    with pytest.raises(TypeError, match="no event field may have the type"):
        codec.fields_of(Strange)


def test_the_same_date_is_written_once() -> None:
    first = codec.print_date(date(2026, 3, 31))
    assert first == "2026-03-31"
    assert codec.print_date(date(2026, 3, 31)) is first
