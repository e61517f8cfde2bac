"""How long a test waits for what comes at once on a quiet machine: a crowded one is no fault of the code."""

from typing import Final

PATIENCE_SECONDS: Final = 180.0

RESTS_SECONDS: Final = 3_600
"""How long a server of the tests keeps a connection on which nothing is asked. uvicorn's five seconds are as long as httpx's:
whoever was held up asks on a connection that is just closing, and hears nothing.
"""
