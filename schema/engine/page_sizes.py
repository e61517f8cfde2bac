"""How large pages of lists are."""

from __future__ import annotations

from typing import Final

PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 100
