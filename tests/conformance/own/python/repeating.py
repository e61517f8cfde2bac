"""Which documents the installed Python client may send again: printed as JSON, by the order of `documents.json`."""

from __future__ import annotations

import json
from pathlib import Path

from earnest_client.retrying import is_repeatable

print(json.dumps([is_repeatable(document) for document in json.loads(Path("documents.json").read_text())]))
