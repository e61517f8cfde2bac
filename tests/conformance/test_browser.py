"""A real browser on two origins: what CORS promises on paper is what a page can do."""

from __future__ import annotations

from tests.conformance.conftest import CHROMIUM, Node, needs_chromium


@needs_chromium
def test_a_page_of_an_allowed_origin_uses_the_api_and_one_of_another_origin_cannot(node: Node) -> None:
    said = node("browser.mjs", EARNEST_CHROMIUM=str(CHROMIUM))
    assert "and opens a socket" in said
    assert "a page of another origin gets nothing" in said
