"""The whole job by the installed Python client, from the proposal to the payout; run with the demo's keys in the environment."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from earnest_client import (
    AcceptChangeRequestInput,
    AcceptContractInput,
    AcceptRefundInput,
    AddChangeInput,
    AddEvidenceInput,
    AddMilestoneInput,
    ApproveMilestoneInput,
    BeyondTheLog,
    ChangeInput,
    CreateWebhookEndpointInput,
    DecideDisputeInput,
    DeclineChangeRequestInput,
    DeleteWebhookEndpointInput,
    DeliveryFilter,
    Earnest,
    EditMilestoneInput,
    FileChangeRequestInput,
    FileKeys,
    FundMilestoneInput,
    Head,
    Keys,
    MemoryMirror,
    MemoryPlace,
    MilestoneInput,
    Mirror,
    MirrorUpdate,
    MoneyInput,
    MoveMilestoneInput,
    NotVerified,
    OfferSettlementInput,
    OpenDisputeInput,
    OutOfSequence,
    PostUpdateInput,
    ProposeContractInput,
    RejectClaimInput,
    RemoveMilestoneInput,
    RequestChangesInput,
    RequestPayoutInput,
    RequestRefundInput,
    ReviseContractInput,
    RotateWebhookSecretInput,
    SendTestEventInput,
    SetExternalReferenceInput,
    SQLiteMirror,
    SubmitMilestoneInput,
    VersionConflict,
    WebhookAlgorithm,
    check_chains,
    every,
    link_of_event,
    link_of_webhook,
    new_key,
    still_so,
    verify,
)

PATIENCE_SECONDS = 120.0
OF_ANOTHER_LOG = "cur_000000000zzzz"
URL = os.environ["EARNEST_URL"]


def usd(amount: str) -> MoneyInput:
    return MoneyInput(amount=amount, currency="USD")


def step(title: str, amount: str = "100.00") -> MilestoneInput:
    return MilestoneInput(
        title=title, purpose="To see", amount=usd(amount), due_on="2100-01-01", deliverables=["A page"]
    )


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await is_so():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.1)


class Job:
    """One contract, its two sides and a mediator."""

    def __init__(self, client: Earnest, freelancer: Earnest, mediator: Earnest, keys: Keys) -> None:
        self.client, self.freelancer, self.mediator, self.keys = client, freelancer, mediator, keys
        self.contract_id = ""
        self.plan: list[str] = []

    async def state(self, number: int) -> str:
        milestone = await self.client.milestone(id=self.plan[number - 1])
        assert milestone is not None
        return milestone.state

    async def becomes(self, number: int, state: str) -> None:
        async def is_so() -> bool:
            return await self.state(number) == state

        await until(is_so)

    async def look(self) -> None:
        contract = await self.client.contract(id=self.contract_id)
        assert contract is not None
        self.plan = [milestone.id for milestone in contract.milestones]

    async def agree(self) -> None:
        proposal = ProposeContractInput(
            client_id=(await self.client.viewer()).account_id,
            freelancer_id=(await self.freelancer.viewer()).account_id,
            title="By the Python client",
            currency="USD",
            milestones=[step("One")],
        )
        intention = "the journey's contract"
        made = await self.client.propose_contract(proposal, key=await self.keys.of(intention))
        again = await self.client.propose_contract(proposal, key=await self.keys.of(intention))
        assert made.contract and again.contract and made.contract.id == again.contract.id
        await self.keys.done(intention)
        self.contract_id = made.contract.id
        plan = [step("One"), step("Two"), step("Three"), step("Four")]
        await self.freelancer.revise_contract(
            ReviseContractInput(contract_id=self.contract_id, milestones=plan), key=new_key()
        )
        try:
            await self.client.accept_contract(
                AcceptContractInput(contract_id=self.contract_id, revision=1), key=new_key()
            )
            raise AssertionError("an old revision was accepted")
        except VersionConflict as conflict:
            assert conflict.payload["contract"]["revision"] == 2
        accepted = await self.client.accept_contract(
            AcceptContractInput(contract_id=self.contract_id, revision=2), key=new_key()
        )
        assert accepted.contract and accepted.contract.state == "ACTIVE"
        await self.look()
        print("proposed, answered with another offer, accepted")

    async def change_the_plan(self) -> None:
        added = await self.client.add_milestone(
            AddMilestoneInput(contract_id=self.contract_id, milestone=step("Five")), key=new_key()
        )
        assert added.milestone
        five = added.milestone.id
        await self.client.edit_milestone(EditMilestoneInput(milestone_id=five, title="Late"), key=new_key())
        await self.client.move_milestone(MoveMilestoneInput(milestone_id=five, position=4), key=new_key())
        await self.client.set_external_reference(
            SetExternalReferenceInput(subject_id=five, system="tracker", external_id=f"T-{five}"), key=new_key()
        )
        found = await self.client.by_external_id(system="tracker", id=f"T-{five}")
        assert found and found.id == five and found.typename__ == "Milestone"
        await self.client.remove_milestone(RemoveMilestoneInput(milestone_id=five), key=new_key())
        for accepts in (True, False):
            filed = await self.freelancer.file_change_request(
                FileChangeRequestInput(
                    contract_id=self.contract_id,
                    changes=[ChangeInput(add=AddChangeInput(milestone=step("Asked for")))],
                    message="There is more to do",
                ),
                key=new_key(),
            )
            assert filed.change_request
            request_id = filed.change_request.id
            if accepts:
                await self.client.accept_change_request(
                    AcceptChangeRequestInput(change_request_id=request_id), key=new_key()
                )
            else:
                await self.client.decline_change_request(
                    DeclineChangeRequestInput(change_request_id=request_id), key=new_key()
                )
        listed = await self.client.change_requests(contract_id=self.contract_id)
        assert listed and [request.state for request in listed.change_requests.nodes] == ["ACCEPTED", "DECLINED"]
        await self.look()
        print("added, edited, moved, removed; changes accepted and declined")

    async def fund(self, number: int, token: str = "tok_ok") -> None:
        await self.client.fund_milestone(
            FundMilestoneInput(milestone_id=self.plan[number - 1], payment_token=token), key=new_key()
        )

    async def hand_in(self, number: int) -> None:
        await self.freelancer.submit_milestone(
            SubmitMilestoneInput(milestone_id=self.plan[number - 1], message="Done", links=["https://example.com/"]),
            key=new_key(),
        )

    async def review(self) -> None:
        await self.fund(1, "tok_fail")
        await self.becomes(1, "PLANNED")
        try:
            await self.fund(2)
            raise AssertionError("the second was funded before the first")
        except OutOfSequence as refusal:
            assert refusal.first.documentation
        await self.fund(1)
        await self.becomes(1, "ACTIVE")
        await self.hand_in(1)
        await self.client.request_changes(
            RequestChangesInput(milestone_id=self.plan[0], note="The colour"), key=new_key()
        )
        await self.hand_in(1)
        approved = await self.client.approve_milestone(
            ApproveMilestoneInput(milestone_id=self.plan[0], bonus=usd("5.00"), payment_token="tok_ok"), key=new_key()
        )
        assert approved.milestone and approved.milestone.state == "RELEASED"
        assert approved.bonus and approved.bonus.charge.amount == "5.00"
        await self.fund(2)
        await self.becomes(2, "ACTIVE")
        await self.fund(3)
        await self.becomes(3, "FUNDED")
        await self.hand_in(2)
        less = await self.client.approve_milestone(
            ApproveMilestoneInput(milestone_id=self.plan[1], amount=usd("60.00")), key=new_key()
        )
        assert less.milestone and less.milestone.released.amount == "60.00"
        print("a refused payment, funded, changes asked for, approved with a bonus and with less")

    async def disagree(self) -> None:
        three = self.plan[2]
        await self.becomes(3, "ACTIVE")
        await self.client.post_update(PostUpdateInput(contract_id=self.contract_id, message="On we go"), key=new_key())
        asked = await self.client.request_refund(
            RequestRefundInput(milestone_id=three, amount=usd("40.00")), key=new_key()
        )
        assert asked.refund_request
        await self.freelancer.accept_refund(AcceptRefundInput(refund_id=asked.refund_request.id), key=new_key())
        seen = MemoryMirror()
        mirror = Mirror(self.mediator, seen)
        await mirror.catch_up()
        assert self.contract_id not in seen.contracts
        opened = await self.freelancer.open_dispute(
            OpenDisputeInput(milestone_id=three, claim=usd("90.00"), reason="It is nearly done"), key=new_key()
        )
        assert opened.dispute
        dispute_id = opened.dispute.id
        await self.client.reject_claim(RejectClaimInput(dispute_id=dispute_id), key=new_key())
        await self.client.add_evidence(AddEvidenceInput(dispute_id=dispute_id, text="It is not"), key=new_key())
        offered = await self.client.offer_settlement(
            OfferSettlementInput(dispute_id=dispute_id, to_freelancer=usd("50.00")), key=new_key()
        )
        assert offered.dispute and offered.dispute.offers[0].to_freelancer.amount == "50.00"
        assert dispute_id in [one.id async for one in every(lambda after: self.mediator.disputes(after=after))]
        decided = await self.mediator.decide_dispute(
            DecideDisputeInput(dispute_id=dispute_id, to_freelancer=usd("70.00"), reason="Most of it is there"),
            key=new_key(),
        )
        assert decided.dispute and decided.dispute.state == "RESOLVED"
        assert await self.state(3) == "SETTLED"

        async def has_the_whole_plan() -> bool:
            await mirror.catch_up()
            return set(self.plan) <= set(seen.milestones) and seen.milestones[three].state == "SETTLED"

        await until(has_the_whole_plan)
        print("a refund, a dispute, and a mediator's decision")

    async def pay_out(self) -> None:
        asked = await self.freelancer.request_payout(RequestPayoutInput(contract_id=self.contract_id), key=new_key())
        assert asked.payment_order_id

        async def is_paid() -> bool:
            """It, and what goes back to the client: nothing happens after that."""
            found = await self.freelancer.payment_orders(contract_id=self.contract_id)
            states = {order.id: order.state for order in found.payment_orders.nodes} if found else {}
            return states.get(asked.payment_order_id or "") == "PAID" and "STARTED" not in states.values()

        await until(is_paid)
        print("paid out")

    async def prove(self) -> None:
        events, after, version = [], None, 0
        while True:
            page = await self.client.timeline(id=self.contract_id, first=20, after=after)
            assert page
            events += page.timeline.nodes
            version = page.version
            if not page.timeline.page_info.has_next_page:
                break
            after = page.timeline.page_info.end_cursor
        head = {self.contract_id: Head(sequence=version, hash=events[-1].hash)}
        whole = check_chains(map(link_of_event, events), head)
        assert whole.is_sound and not whole.unproven
        assert "goes on" in check_chains(map(link_of_event, events[:-1]), head).problems[0]
        assert check_chains(map(link_of_event, events[:-1])).unproven == {self.contract_id}
        assert "is missing" in check_chains(map(link_of_event, events[:3] + events[4:])).problems[0]
        print(f"a chain of {len(events)} events")


async def begin_anew(client: Earnest) -> None:
    """A cursor of another log, and a contract that may be seen no more."""
    store = SQLiteMirror("anew.db")
    mirror = Mirror(client, store)
    await mirror.catch_up()
    seen, cursor = await store.ids(), await store.cursor()
    stranger = store.contracts()[0].model_copy(update={"id": "ctr_of_another_log"})
    await store.write(MirrorUpdate(contracts=[stranger], cursor=OF_ANOTHER_LOG))
    await mirror.catch_up()
    assert await store.ids() >= seen
    assert "ctr_of_another_log" not in await store.ids()
    assert (await store.cursor() or "") >= (cursor or "")
    assert await store.cursor() != OF_ANOTHER_LOG
    try:
        async for _ in client.follow(MemoryPlace(OF_ANOTHER_LOG)):
            pass
    except BeyondTheLog:
        print("a mirror of another log begins anew")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it was sent."""

    got: list[tuple[bytes, dict[str, str]]] = []

    def do_POST(self) -> None:
        self.got.append((self.rfile.read(int(self.headers["content-length"])), dict(self.headers.items())))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


async def webhooks(client: Earnest) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    async def test_event(endpoint_id: str) -> tuple[bytes, dict[str, str]]:
        def tests() -> list[tuple[bytes, dict[str, str]]]:
            """Other things happen to the client, too."""
            return [one for one in Receiver.got if json.loads(one[0])["type"] == "endpoint.test"]

        before = len(tests())
        await client.send_test_event(SendTestEventInput(endpoint_id=endpoint_id), key=new_key())

        async def came() -> bool:
            return len(tests()) > before

        await until(came)
        return tests()[-1]

    made = await client.create_webhook_endpoint(
        CreateWebhookEndpointInput(
            url=f"http://127.0.0.1:{server.server_port}/",
            algorithms=[WebhookAlgorithm.HMAC_SHA256, WebhookAlgorithm.ED25519],
        ),
        key=new_key(),
    )
    assert made.webhook_endpoint and made.secret
    endpoint_id = made.webhook_endpoint.id
    public = next(secret.public_key for secret in made.webhook_endpoint.secrets if secret.public_key)
    body, headers = await test_event(endpoint_id)
    for key in (made.secret, public):
        assert verify(body, headers, key).is_test
        for altered in (body + b" ", b""):
            try:
                verify(altered, headers, key)
                raise AssertionError("an altered request was verified")
            except NotVerified:
                pass
    try:
        verify(body, headers, made.secret, now=time.time() + 301)
        raise AssertionError("an old request was verified")
    except NotVerified:
        pass
    assert link_of_webhook(body) is None
    what_a_restore_undid_is_left_out()
    rotated = await client.rotate_webhook_secret(RotateWebhookSecretInput(endpoint_id=endpoint_id), key=new_key())
    assert rotated.secret
    body, headers = await test_event(endpoint_id)
    for secret in (made.secret, rotated.secret):
        verify(body, headers, secret)
    verify(body, headers, [new_key_of_nobody(), rotated.secret])
    assert endpoint_id in {endpoint.id for endpoint in await client.webhook_endpoints()}
    tests = DeliveryFilter(endpoint_id=endpoint_id, event_type=["endpoint.test"])
    sent = [one.event_type async for one in every(lambda after: client.deliveries(filter_=tests, after=after))]
    assert sent == ["endpoint.test"] * 2, sent
    assert "milestone.released" in {kind.name for kind in await client.event_types()}
    await client.delete_webhook_endpoint(DeleteWebhookEndpointInput(endpoint_id=endpoint_id), key=new_key())
    server.shutdown()
    print("webhooks: verified by secret and public key, during a rotation, refused when altered or old")


def what_a_restore_undid_is_left_out() -> None:
    told = {"keptCursor": "cur_0000000000002", "firstCursor": "cur_00001yk000000"}

    def body(cursor: str | None, kind: str = "milestone.updated", **more: object) -> bytes:
        event = {"stream": "acc_1", "sequence": 0, "type": kind, "previousHash": None, "data": told}
        return json.dumps({"type": kind, "data": {"cursor": cursor, "event": event, "texts": {}, **more}}).encode()

    kept, void, new = (body(cursor) for cursor in ("cur_0000000000002", "cur_0000000000003", "cur_00001yk000000"))
    cut, tried = body(None, "log.cut"), body(None, "log.cut", test=True)
    assert still_so([void, kept, cut, new]) == [kept, cut, new]
    assert still_so([void, tried]) == [void, tried]
    assert link_of_webhook(cut) is None


def new_key_of_nobody() -> str:
    return "whsec_" + "A" * 32


async def main() -> None:
    client, freelancer, mediator = (
        Earnest(URL, os.environ[name]) for name in ("EARNEST_KEY", "EARNEST_FREELANCER", "EARNEST_MEDIATOR")
    )
    async with client, freelancer, mediator:
        job = Job(client, freelancer, mediator, Keys(FileKeys(Path("keys.json"))))
        await job.agree()
        await job.change_the_plan()
        await job.review()
        await job.disagree()
        await job.pay_out()
        await job.prove()
        await begin_anew(client)
        await webhooks(client)
        mine = [one.id async for one in every(lambda after: client.contracts(first=2, after=after))]
        assert job.contract_id in mine
    print("the whole job")


if __name__ == "__main__":
    asyncio.run(main())
