"""A mirror: a copy of contracts and their plans that is kept equal to the server by the sync feed.

What disappears without an event is found by looking at everything: words that were erased, contracts that this key may see
no more, a log that was restored from a backup. That is what `refresh` does, and it is how a mirror begins as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from earnest_client.api import ChangesChanges, ContractFields, MilestoneFields
from earnest_client.client import BeyondTheLog, Earnest, is_beyond, raise_if_final
from earnest_client.errors import EarnestError, OperationFailed, RateLimited, Unreachable
from earnest_client.lists import pages
from earnest_client.mirror_stores import MirrorStore, MirrorUpdate
from earnest_client.retrying import Patience
from earnest_client.transport import StreamEnded, closing

PAGE: Final = 100
READ_SECONDS: Final = 300.0
"""The feed is read so often even if nothing rang."""
REFRESH_SECONDS: Final = 24 * 3600.0
FOR_EVER: Final = 10.0**9
PASSING: Final = frozenset({"INTERNAL", "UPDATING"})
"""Faults of the service that may be gone when it is asked again, beside what something in between answers from 500 on."""
SEES_OTHERS_NOW: Final = frozenset({"account.mediator_appointed", "account.mediator_dismissed"})


class Mirror:
    """Keeps a store equal to what the client's key may see: contracts, and the milestones of their present plans.

    `run` does so until it is cancelled, or the key ends (`Unauthenticated`: the copy stays as it is). `catch_up` alone never
    looks at everything once there is a copy: who calls nothing else calls `refresh` now and then. Cancelled milestones of a
    plan stay in it as `CANCELLED`; those of a revision that was replaced go.
    """

    def __init__(self, client: Earnest, store: MirrorStore, *, refresh_seconds: float = REFRESH_SECONDS) -> None:
        self._client = client
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._rung = asyncio.Event()
        self._alone = asyncio.Lock()
        """Who looks at everything and who reads the feed would take out what the other just wrote, and write older cursors."""
        self._known: set[str] | None = None
        self._refresh_at = 0.0
        """By the loop's clock."""

    async def run(self) -> None:
        """Follow for ever: read when the bell rings, every five minutes besides, and everything at first and once a day."""
        bell = asyncio.create_task(self._listen())
        bell.add_done_callback(lambda _: self._rung.set())
        clock = asyncio.get_running_loop().time
        self._refresh_at = 0.0  # nobody knows when a program before this one did
        try:
            while True:
                self._rung.clear()  # before reading: what rings from here on is read in the next round
                await self._for_sure(self.catch_up)
                if clock() >= self._refresh_at:
                    await self._for_sure(self.refresh)
                if bell.done():  # by a fault of the store, or because streams can't be had here at all
                    await bell
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._rung.wait(), min(READ_SECONDS, max(self._refresh_at - clock(), 0.0)))
        finally:
            bell.cancel()
            await asyncio.gather(bell, return_exceptions=True)

    async def _for_sure(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, however long nobody answers."""
        patience = Patience(FOR_EVER)
        while True:
            try:
                return await work()
            except (Unreachable, RateLimited):
                pass
            except OperationFailed as failure:
                if failure.code not in PASSING and not failure.code.startswith("HTTP_5"):
                    raise
            await asyncio.sleep(patience.wait_seconds() or 0.0)

    async def catch_up(self) -> None:
        """Write what the log has by now; by a `refresh` from nothing, from a cursor of another log, and where an event changed
        which contracts may be seen."""
        async with self._alone:
            more = True
            while more:
                cursor = await self._store.cursor()
                try:
                    more = await self._take(cursor) if cursor is not None else await self._begin()
                except BeyondTheLog:
                    more = await self._begin()

    async def refresh(self) -> None:
        """Look at everything: write all that may be seen, and take out what may be seen no more. May be called beside `run`."""
        async with self._alone:
            await self._look_at_everything()

    async def _look_at_everything(self) -> None:
        next_at = asyncio.get_running_loop().time() + self._refresh_seconds
        cursor = (await self._client.latest()).cursor  # first: what changes meanwhile comes again after it
        seen: set[str] = set()
        async for contracts in pages(lambda after: self._client.contracts(first=PAGE, after=after)):
            await self._store.write(MirrorUpdate(contracts=contracts))
            seen |= {contract.id for contract in contracts}
        async for milestones in pages(lambda after: self._client.milestones(first=PAGE, after=after)):
            await self._store.write(MirrorUpdate(milestones=milestones))
            seen |= {milestone.id for milestone in milestones}
        gone = frozenset(await self._store.ids() - seen)
        await self._store.write(MirrorUpdate(gone=gone, cursor=cursor))
        self._known = None
        self._refresh_at = next_at

    async def _begin(self) -> bool:
        await self._look_at_everything()
        return True

    async def _take(self, cursor: str) -> bool:
        """One page into the store, with its cursor. Answers whether more is there already."""
        page = await self._page(cursor)
        if any(change.event.type_ in SEES_OTHERS_NOW for change in page.nodes):
            # In its place: were the page written first and this failed, nothing would tell of it again.
            return await self._begin()
        contracts, milestones, gone = await self._contents(page)
        await self._store.write(MirrorUpdate(contracts=contracts, milestones=milestones, gone=gone, cursor=page.cursor))
        if self._known is not None:
            self._known |= {contract.id for contract in contracts}
        return page.has_more

    async def _page(self, cursor: str) -> ChangesChanges:
        try:
            return await self._client.changes(after=cursor, first=PAGE)
        except OperationFailed as failure:
            if is_beyond(failure.code, str(failure)):
                raise BeyondTheLog(str(failure)) from None
            raise

    async def _contents(
        self, page: ChangesChanges
    ) -> tuple[Sequence[ContractFields], Sequence[MilestoneFields], frozenset[str]]:
        """What a page says of contracts and milestones, each once, and which are of the past."""
        contracts: dict[str, ContractFields] = {}
        milestones: dict[str, MilestoneFields] = {}
        for change in page.nodes:
            if change.contract is not None:
                is_new = change.contract.id not in contracts and await self._is_new(
                    change.contract.id, change.event.type_
                )
                whole: Sequence[MilestoneFields] = await self._whole_plan(change.contract.id) if is_new else ()
                contracts[change.contract.id] = change.contract
                milestones |= {milestone.id: milestone for milestone in [*change.milestones, *whole]}
        past = frozenset(one.id for one in milestones.values() if one.revision != contracts[one.contract_id].revision)
        return list(contracts.values()), [one for one in milestones.values() if one.id not in past], past

    async def _is_new(self, contract_id: str, event_type: str) -> bool:
        """Whether its beginning was kept from this key: a mediator sees a contract from its first dispute on."""
        if self._known is None:
            self._known = await self._store.ids()
        return contract_id not in self._known and event_type != "contract.proposed"

    async def _whole_plan(self, contract_id: str) -> Sequence[MilestoneFields]:
        whole = await self._client.contract(id=contract_id)
        return whole.milestones if whole else []

    async def _listen(self) -> None:
        """Ring for whatever comes after the store's cursor, so that nothing is missed between reading and listening."""
        patience = Patience(FOR_EVER)
        while True:
            at_least = 0.0
            try:
                cursor = await self._store.cursor()
                if cursor is not None:
                    async with closing(self._client.bell(after=cursor)) as rings:
                        async for _ in rings:
                            patience = Patience(FOR_EVER)
                            self._rung.set()
            except StreamEnded as ended:
                at_least = ended.wait_seconds
                try:
                    raise_if_final(ended)
                except BeyondTheLog:
                    self._rung.set()  # whoever reads the feed begins anew, from a cursor that can be listened after
                except EarnestError:
                    self._rung.set()  # the feed says the same, and is heard
                    await asyncio.sleep(READ_SECONDS)
            await asyncio.sleep(patience.wait_seconds(at_least) or 0.0)
