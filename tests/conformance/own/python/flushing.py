"""What the installed Python client flushes before it gives a key: printed as JSON."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from typing import Any
from unittest.mock import patch

from earnest_client import FileKeys

flush = os.fsync
flushed: list[str] = []
trouble: int | None = None


def spy(handle: int) -> None:
    is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
    flushed.append("folder" if is_folder else "file")
    if is_folder and trouble is not None:
        raise OSError(trouble, os.strerror(trouble))
    flush(handle)


async def key_when(folder_says: int) -> str:
    global trouble
    trouble = folder_says
    try:
        return await FileKeys("keys.json").key_of(f"under {folder_says}", "key")
    except OSError:
        return "no key"


async def main() -> None:
    with patch.object(os, "fsync", spy):
        await FileKeys("keys.json").key_of("pay", "key")
        saw: dict[str, Any] = {"flushed": [*flushed]}
        saw["where folders can't be flushed"] = await key_when(errno.EINVAL)
        saw["where the disk fails"] = await key_when(errno.EIO)
    print(json.dumps(saw))


asyncio.run(main())
