"""How long a test waits for what comes at once on a quiet machine: a crowded one is no fault of the code."""

from typing import Final

PATIENCE_SECONDS: Final = 180.0
