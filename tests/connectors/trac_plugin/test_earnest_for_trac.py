"""The plugin's door without a Trac: what it makes of whoever knocks."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

TRAC = {
    "trac": (),
    "trac.config": ("Option",),
    "trac.core": ("implements",),
    "trac.ticket": (),
    "trac.ticket.api": ("IMilestoneChangeListener",),
    "trac.ticket.model": ("Milestone",),
    "trac.util": (),
    "trac.util.datefmt": ("datetime_now", "utc"),
    "trac.web": (),
    "trac.web.api": ("IRequestHandler",),
}
"""What the plugin takes of Trac, of which this needs nothing."""


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, words in TRAC.items():
        module = ModuleType(name)
        for word in words:
            setattr(module, word, lambda *_: None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["trac.core"], "Component", object, raising=False)
    monkeypatch.delitem(sys.modules, "connectors.trac_plugin.earnest_for_trac", raising=False)
    plugin = importlib.import_module("connectors.trac_plugin.earnest_for_trac")
    monkeypatch.delitem(sys.modules, "connectors.trac_plugin.earnest_for_trac")
    made = plugin.EarnestMilestones()
    made.token = "a long one"
    return made


@pytest.mark.parametrize(
    ("shown", "opens"),
    [("Bearer a long one", True), ("Bearer another", False), (None, False), ("Bearer \xe9", False), ("\udce9", False)],
)
def test_only_the_token_opens_whatever_letters_are_shown(door: Any, shown: str | None, opens: bool) -> None:
    request = SimpleNamespace(path_info="/earnest/milestones", form_token="theirs", get_header=lambda _: shown)
    assert door.match_request(request)
    assert (request.form_token is None) is opens


def test_a_token_may_have_other_letters_too(door: Any) -> None:
    door.token = "schl\u00fcssel"
    request = SimpleNamespace(
        path_info="/earnest/milestones", form_token="theirs", get_header=lambda _: "Bearer schl\u00fcssel"
    )
    assert door.match_request(request)
    assert request.form_token is None
