"""What the figures of the sides come to: requests a second as ratios, and processor time for each request."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from tests.benchmarks.options import Options
from tests.benchmarks.peers.rounds import CONNECTIONS, Figures, Plan, Slot, measure
from tests.benchmarks.tables import Table
from tests.engines import TestServer


async def tables(server: TestServer, redis_url: str, options: Options) -> list[Table]:
    """Requests a second, of Earnest and as its ratio to each other side; processor time of each."""
    plan = Plan(contracts=options.contracts, rounds=options.rounds, seconds=options.seconds)
    return _shown(await measure(server, redis_url, plan))


def _shown(figures: Figures) -> list[Table]:
    first, *others = figures.sides
    ratios = [
        [operation, _middle(slots[first], _rate), *(_ratio(slots[first], slots[other]) for other in others)]
        for operation, slots in figures.slots.items()
    ]
    taken = [
        [operation, *(_taken(slots[side]) for side in figures.sides)] for operation, slots in figures.slots.items()
    ]
    plan = figures.plan
    return [
        Table(
            "peers",
            f"Requests a second of Earnest, and the ratio to what each other side does ({plan.contracts:,} contracts, "
            f"{CONNECTIONS} connections; medians of {plan.rounds} rounds, in brackets the least and the greatest ratio)",
            ["operation", f"{first}, requests/s", *(f"ratio to {other}" for other in others)],
            ratios,
        ),
        Table(
            "peers-cpu",
            "Milliseconds of processor time for each request: of the serving process + of PostgreSQL",
            ["operation", *figures.sides],
            taken,
        ),
    ]


def _rate(slot: Slot) -> float:
    return slot.per_second


def _middle(slots: Sequence[Slot], of: Callable[[Slot], float]) -> str:
    return f"{statistics.median(map(of, slots)):,.0f}"


def _ratio(ours: Sequence[Slot], theirs: Sequence[Slot]) -> str:
    ratios = [one.per_second / other.per_second for one, other in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def _taken(slots: Sequence[Slot]) -> str:
    web = statistics.median(slot.web_milliseconds for slot in slots)
    postgres = statistics.median(slot.postgres_milliseconds for slot in slots)
    return f"{web:.2f} + {postgres:.2f}"
