"""Says what was found: a subject, how it stands, what it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How something stands, in the words that are printed."""

    FINE = "ok"
    ODD = "odd"
    """It works, and may not be what was meant."""
    WRONG = "wrong"
    """Something doesn't work, now or when it matters."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; holds no secret, since it is printed."""

    subject: str
    grade: Grade
    what: str
    remedy: str = ""
    """What to do, unless it is fine."""

    def lines(self) -> list[str]:
        """For people: what was found, and below it what to do."""
        shown = [f"{self.grade:<6}{self.subject:<12}{self.what}"]
        return [*shown, f"{'':18}→ {self.remedy}"] if self.remedy else shown


def fine(subject: str, what: str) -> Finding:
    """As it should be."""
    return Finding(subject, Grade.FINE, what)


def odd(subject: str, what: str, remedy: str) -> Finding:
    """Worth a look."""
    return Finding(subject, Grade.ODD, what, remedy)


def wrong(subject: str, what: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(subject, Grade.WRONG, what, remedy)


def in_a_line(error: BaseException) -> str:
    """What an error says, in one short line."""
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
