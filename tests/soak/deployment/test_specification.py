"""The specification of a contract against histories as the soak keeps them: right ones pass, and each kind of wrong is found."""

from __future__ import annotations

from escrow.agreement import commands as c
from tests.escrow.agreement.stage import CLIENT, FREELANCER, Story
from tests.soak.deployment.linearizing import NEVER_ENDED, Operation, check
from tests.soak.deployment.specification import Commanded, Confirmed, Known, OfContract, Said, Seen

STORY = Story()
STORY.propose("100.00", "50.00", by=CLIENT)
PROPOSED = Known(STORY.state)
LAW = OfContract(STORY.around())
ID, (FIRST, _) = STORY.id, [one.id for one in STORY.state.milestones]


def did(
    number: int, command: c.Command, began: float, ended: float = NEVER_ENDED, code: str | None = None
) -> Operation[Said]:
    by = FREELANCER if isinstance(command, c.Accept | c.Decline | c.Submit) else CLIENT
    return Operation(Commanded(number, command, by, code), began, ended)


def saw(what: str, value: object, began: float, ended: float) -> Operation[Said]:
    return Operation(Seen(what, value), began, ended)


def say(text: str) -> c.PostUpdate:
    return c.PostUpdate(contract_id=ID, message=text)


def is_possible(*history: Operation[Said]) -> bool:
    return check(PROPOSED, history, LAW).is_linearizable


ACCEPT, DECLINE = c.Accept(contract_id=ID, revision=1), c.Decline(contract_id=ID)
WITHDRAW = c.Withdraw(contract_id=ID)
FUND = c.Fund(milestone_id=FIRST, deposit_id="dep_1", order_id="pay_1", payment_token=None, revision=1)


def test_of_two_answers_to_an_offer_at_once_one_comes_first_and_the_other_is_refused() -> None:
    both = did(1, ACCEPT, 0, 9), did(2, WITHDRAW, 0, 9, "INVALID_STATE")
    assert is_possible(*both, saw("state", "ACTIVE", 10, 11))
    assert not is_possible(*both, saw("state", "WITHDRAWN", 10, 11))
    assert not is_possible(did(1, ACCEPT, 0, 9), did(2, WITHDRAW, 0, 9))


def test_what_was_said_is_there_once_from_its_answer_on() -> None:
    said = did(1, say("a"), 0, 1)
    assert is_possible(said, saw("updates", ("a",), 2, 3))
    assert not is_possible(said, saw("updates", (), 2, 3)), "a stale answer, or a command that was lost"
    assert not is_possible(said, saw("updates", ("a", "a"), 2, 3)), "a doubled effect"
    assert not is_possible(saw("updates", ("a",), 0, 1), did(1, say("a"), 2, 3)), "before it was said"


def test_an_answer_that_was_lost_leaves_both_open_until_somebody_sees_which() -> None:
    lost = did(1, say("a"), 0)
    assert is_possible(lost, saw("updates", (), 2, 3), saw("updates", ("a",), 4, 5))
    assert is_possible(lost, saw("updates", (), 4, 5))
    assert not is_possible(lost, saw("updates", ("a",), 2, 3), saw("updates", (), 4, 5))


def test_an_attempt_that_was_lost_may_be_carried_out_after_a_later_one_was_refused() -> None:
    submit = c.Submit(milestone_id=FIRST, submission_id="sub_1", message="Here")
    refused = did(1, submit, 1, 2, "INVALID_STATE")
    between = did(2, ACCEPT, 3, 4), did(3, FUND, 5, 6), Operation[Said](Confirmed("dep_1"), 5)
    handed_in = saw("milestones", ("SUBMITTED", "PLANNED"), 8, 9)
    assert not is_possible(refused, *between, handed_in)
    assert is_possible(did(1, submit, 0), refused, *between, handed_in)


def test_money_comes_when_the_provider_says_so_and_not_before_it_was_asked_for() -> None:
    began = did(1, ACCEPT, 0, 1), did(2, FUND, 2, 3)
    came = saw("milestones", ("ACTIVE", "PLANNED"), 8, 9)
    assert is_possible(*began, Operation(Confirmed("dep_1"), 2), saw("milestones", ("FUNDING", "PLANNED"), 4, 5), came)
    assert not is_possible(*began, came)
    assert not is_possible(*began, Operation(Confirmed("dep_2"), 2), came)


def test_a_refusal_without_a_reason_is_found() -> None:
    assert not is_possible(did(1, ACCEPT, 0, 1, "INVALID_STATE"))
    assert not is_possible(did(1, ACCEPT, 0, 1), did(2, DECLINE, 2, 3))
