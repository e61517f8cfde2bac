"""Says which release of Earnest this is.

The number stands in pyproject.toml, too (a test compares): what is installed may be told by its metadata, but two releases that
run side by side from one environment are told apart by what their own code says.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "1.0.0"

APPLICATION: Final = f"earnest {VERSION}"
"""What each connection to PostgreSQL is called, so that whoever looks there sees which releases are at work."""
