"""`python -m tests.soak` plays that of a whole deployment; `orders` or `connectors` as the first word another one.

Each says what it plays when it is asked for `--help`, prints its figures, and exits with 1 if anything was lost or differed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.soak import orders
from tests.soak.deployment import command_line


def main() -> int:
    """Play what the first word says."""
    others = {"connectors": play_couplings, "orders": orders.main}
    which = sys.argv[1] if len(sys.argv) > 1 else ""
    return others[which](sys.argv[2:]) if which in others else command_line.main(sys.argv[1:])


def play_couplings(arguments: Sequence[str]) -> int:
    """Connectors; what they need takes long to import, and no other soak needs it."""
    from tests.soak import coupling

    return coupling.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
