"""Tells whether a client has already what it would be answered with: tags of bodies, and the header that names them."""

from __future__ import annotations

import hashlib


def tag_of(body: bytes) -> str:
    """The tag of a body, as the header `etag` has it: the same bytes have the same."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(given: str, tag: str) -> bool:
    """Whether `If-None-Match` names what would be answered."""
    return given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}
