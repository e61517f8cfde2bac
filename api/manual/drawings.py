"""Draws the pictures of our documents, which hold them as Mermaid's text, made from the tables in the code.

A repository host draws that by foreign code in the browser; here it is drawn by ourselves, of the kinds of diagrams that we
have.
"""

from __future__ import annotations

from api.manual import fans, sequences


def drawn(text: str) -> str | None:
    """The picture with its words beside it, as HTML; `None` for one of a kind that isn't drawn here."""
    fan = fans.read(text)
    if fan is not None:
        return fans.draw(fan)
    sequence = sequences.read(text)
    return sequences.draw(sequence) if sequence is not None else None
