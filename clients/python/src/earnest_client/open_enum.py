"""Enums of the API, which later releases may add values to."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A value that this release doesn't know becomes a member for itself, equal to its text and to nothing else."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether this release of the client has a name for it."""
        return self._name_ in type(self).__members__
