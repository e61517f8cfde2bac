"""How much is measured; everything has a default, which is what the figures in docs/performance.md were measured with."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run may be told."""

    rounds: int = 5
    """How often what is compared is measured, in turn."""
    contracts: int = 20_000
    """How many contracts the sides of `peers` answer about."""
    seconds: float = 2.0
    """How long each read of each side takes in each round of `peers`."""

    attacks: str = ""
    """Which attacks `hostile` plays, by words that their names hold, with commas between; all of them if nothing is said."""

    milestones: str = "10000,1000000,10000000"
    """How many milestones the databases of `growth` have, from the smallest on."""

    waiting: int = 5_000
    """Of how many contracts the events wait that `sequencer` puts in order."""

    listed: int = 200_000
    """How many contracts `reading` lists."""

    sharded: int = 10_000_000
    """How many contracts `shards` distributes."""

    deliveries: int = 1_000_000
    """How many deliveries `forgetting` forgets."""

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        for one in fields(cls):
            parser.add_argument(f"--{one.name}", type=type(one.default), default=one.default)

    @classmethod
    def of(cls, given: argparse.Namespace) -> Self:
        return cls(**{one.name: getattr(given, one.name) for one in fields(cls)})
