"""Fields that a function answers: Strawberry's decorator, typed. What is a plain attribute needs none of this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import strawberry
from strawberry.types.field import StrawberryField


def resolved(description: str) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field whose value the function below it gives."""
    return cast("Callable[[Callable[..., Any]], StrawberryField]", strawberry.field(description=description))
