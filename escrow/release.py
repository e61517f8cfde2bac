"""Says which release of Earnest this is.

The number stands in pyproject.toml and with the clients, too (a test compares): what is installed may be told by its metadata,
but two releases that run side by side from one environment are told apart by what their own code says.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "1.1.0.dev0"
"""With `.dev0` until it is out: what follows a release must not be taken for it, by `earnest migrate --after` least of all."""

RELEASE: Final = VERSION.partition(".dev")[0]
"""The release that this is, or that it becomes."""

APPLICATION: Final = f"earnest {VERSION}"
"""What each connection to PostgreSQL is called, so that whoever looks there sees which releases are at work."""
