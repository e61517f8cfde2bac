"""The type of attachments: files that lie elsewhere, by name and digest."""

from __future__ import annotations

import strawberry


@strawberry.type(description="A file that lies elsewhere, with what proves that it is the same file.")
class Attachment:
    name: str = strawberry.field(description="Its name.")
    sha256: str = strawberry.field(description="The sha256 of its content, in hexadecimal.")
