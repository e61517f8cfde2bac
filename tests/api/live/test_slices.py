"""How the reading of many connections is shared out among the turns of the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from api.live.slices import FRAMES_PER_TURN, SLICES_PER_TURN, Slices, of_this_loop
from tests.api.live.serving import until


class Turns(Slices):
    """A queue that remembers which connections it read in each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[list[str]] = []

    def _turn(self) -> None:
        self.read.append([])
        super()._turn()


@dataclass(eq=False)
class Sent:
    """What a connection has sent: so many slices, each with so many frames."""

    turns: Turns
    name: str
    slices: int
    frames: int = 0
    fails: bool = False

    @property
    def has_more(self) -> bool:
        return self.slices > 0

    def read_slice(self) -> int:
        self.slices -= 1
        self.turns.read[-1].append(self.name)
        if self.fails:
            raise ValueError("asked for")
        return self.frames

    async def is_read(self) -> None:
        await until(lambda: not self.slices)


async def test_connections_are_read_by_turns() -> None:
    turns = Turns()
    flood, message = Sent(turns, "flood", 100, frames=FRAMES_PER_TURN), Sent(turns, "message", 3)
    turns.join(flood)
    turns.join(message)
    turns.join(flood)  # which stands there already
    await flood.is_read()
    assert turns.read[:5] == [["flood"], ["message", "flood"], ["message", "flood"], ["message", "flood"], ["flood"]]
    assert not message.has_more


async def test_a_turn_ends_with_so_many_frames_or_slices() -> None:
    turns = Turns()
    many = [Sent(turns, "small", 3, frames=FRAMES_PER_TURN // 4) for _ in range(100)]
    for one in many:
        turns.join(one)
    await until(lambda: not any(one.has_more for one in many))
    assert {len(read) for read in turns.read} == {4}
    large = Sent(turns, "large", 4 * SLICES_PER_TURN)
    turns.join(large)
    await large.is_read()
    assert [len(read) for read in turns.read[-4:]] == [SLICES_PER_TURN] * 4


async def test_what_fails_in_one_connection_ends_the_reading_of_no_other() -> None:
    turns = Turns()
    failing, other = Sent(turns, "failing", 1, fails=True), Sent(turns, "other", 1)
    told: list[str] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    try:
        turns.join(failing)
        turns.join(other)
        await other.is_read()
    finally:
        loop.set_exception_handler(handler)
    assert told == ["asked for"]


async def test_a_loop_has_one_queue() -> None:
    async def of_another() -> Slices:
        return of_this_loop()

    assert of_this_loop() is of_this_loop()
    assert await asyncio.to_thread(asyncio.run, of_another()) is not of_this_loop()


async def test_who_has_nothing_more_when_its_turn_comes_is_not_read() -> None:
    turns = Turns()
    gone, other = Sent(turns, "gone", 0), Sent(turns, "other", 1)
    turns.join(gone)
    turns.join(other)
    await other.is_read()
    assert turns.read[0] == ["other"]
