"""Talks to Earnest by the client that ariadne-codegen made of `documents.graphql`; run beside it, in its environment."""

import asyncio
import os

import httpx
from client import Client, MilestoneInput, MoneyInput, ProposeContractInput

URL = os.environ["EARNEST_URL"] + "/graphql"
AUTHORIZATION = f"Bearer {os.environ['EARNEST_KEY']}"
PATIENCE_SECONDS = 60.0


def _client() -> Client:
    headers = {"Authorization": AUTHORIZATION}
    return Client(
        url=URL,
        headers=headers,
        http_client=httpx.AsyncClient(headers=headers, timeout=PATIENCE_SECONDS),
        ws_url=URL.replace("http", "ws", 1),
        ws_headers={"Authorization": AUTHORIZATION},
        ws_connection_init_payload={"headers": {"Authorization": AUTHORIZATION}},
    )


async def _propose() -> str:
    milestone = MilestoneInput(
        title="One",
        purpose="To see",
        amount=MoneyInput(amount="10.00", currency="USD"),
        due_on="2100-01-01",
        deliverables=["A page"],
    )
    proposal = ProposeContractInput(
        client_id=os.environ["EARNEST_ACCOUNT"],
        freelancer_id=os.environ["EARNEST_OTHER"],
        title="By ariadne-codegen",
        currency="USD",
        milestones=[milestone],
    )
    async with _client() as client:
        answer = (await client.propose(input=proposal)).propose_contract
    assert answer.user_errors == []
    assert answer.contract is not None
    return answer.contract.id


async def _listen(after: str, heard: list[tuple[str, str]]) -> None:
    """What happens after a cursor, for ever, going on from the last one whenever the stream ends."""
    while True:
        try:
            async for answer in _client().events(after=after):
                after = answer.events.cursor
                heard.append((after, answer.events.stream))
        except Exception as error:  # noqa: BLE001 - whatever ends a stream, it is opened again
            print("connecting again:", type(error).__name__)
        await asyncio.sleep(0.2)


async def _heard(contract_id: str, heard: list[tuple[str, str]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while [stream for _, stream in heard].count(contract_id) < 2:  # noqa: ASYNC110 - the list is filled by a stream
            await asyncio.sleep(0.1)


async def main() -> None:
    async with _client() as client:
        assert (await client.viewer()).viewer.account_id == os.environ["EARNEST_ACCOUNT"]
        made = await _propose()
        nodes = (await client.plans(first=1)).contracts.nodes
    assert nodes[0].id == made
    assert nodes[0].milestones[0].amount.amount == "10.00"
    print("queries and a mutation")

    heard: list[tuple[str, str]] = []
    listening = asyncio.create_task(_listen("cur_0000000000000", heard))
    await _heard(made, heard)
    await asyncio.to_thread(httpx.post, os.environ["EARNEST_RESTART"], timeout=PATIENCE_SECONDS)
    await _heard(await _propose(), heard)
    listening.cancel()
    cursors = [cursor for cursor, _ in heard]
    assert cursors == sorted(set(cursors))
    print("a subscription across a restart")


asyncio.run(main())
