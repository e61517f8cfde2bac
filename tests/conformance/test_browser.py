"""A real browser on two origins: what CORS promises on paper is what a page can do."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.conformance.conftest import Node

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM = os.environ.get("EARNEST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: install it, or name it in EARNEST_CHROMIUM")
def test_a_page_of_an_allowed_origin_uses_the_api_and_one_of_another_origin_cannot(node: Node) -> None:
    said = node("browser.mjs", EARNEST_CHROMIUM=str(CHROMIUM))
    assert "and opens a socket" in said
    assert "a page of another origin gets nothing" in said
