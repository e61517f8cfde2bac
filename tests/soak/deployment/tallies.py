"""Says what was done in a soak of the deployment and what was found, in one sitting or in several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """What was done and what was found."""

    seconds: float = 0.0
    quiet_seconds: float = 0.0
    disk_mb: int | None = None
    """What PostgreSQL took in the end, where it has a disk of its own."""
    counts: Counter[str] = field(default_factory=Counter)
    blows: Counter[str] = field(default_factory=Counter)
    found: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def together(cls, parts: Iterable[Figures]) -> Figures:
        """What all of these come to."""
        whole = cls()
        for part in parts:
            whole.seconds += part.seconds
            whole.quiet_seconds += part.quiet_seconds
            whole.counts += part.counts
            whole.blows += part.blows
            whole.found |= {name: whole.found.get(name, 0) + count for name, count in part.found.items()}
            whole.left_out += [one for one in part.left_out if one not in whole.left_out]
        return whole

    def lines(self) -> list[str]:
        """For people."""
        done = [f"{count:>9,} {name}" for name, count in sorted(self.counts.items())]
        blows = [f"{count:>9,} {name}" for name, count in sorted(self.blows.items())]
        found = [f"{count:>9,} {name}" for name, count in self.found.items()]
        time_taken = f"{self.seconds:.0f} s, and {self.quiet_seconds:.0f} s until it was quiet"
        left_out = [f"left out: {one}" for one in self.left_out]
        if self.disk_mb is not None:
            done.append(f"{self.disk_mb:>9,} MB that PostgreSQL took in the end")
        return [f"People, in {time_taken}:", *done, "Blows:", *blows, "Right, all of them:", *found, *left_out]
