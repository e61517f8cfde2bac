"""`earnest up` without the demo: a whole deployment that is there sooner, and in which nobody is yet."""

import asyncio
import sys
from pathlib import Path

from earnest.run.refusing import CannotStart
from earnest.run.supervisor import Supervisor
from escrow.settings import SettingError

if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(Supervisor(Path.cwd(), after=()).run()))
    except (CannotStart, SettingError) as refusal:
        print(f"earnest: {refusal}", file=sys.stderr)
        sys.exit(2)
