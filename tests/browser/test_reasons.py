"""Why something can't be done, and what there is to think about in a plan, in the reader's own language alone."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import Deal, handed_in, proposed
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served
from tests.browser.windows import Look

SAID: Final = {
    "de-DE": ("Der Meilenstein ist „In Prüfung“; dafür muss er", "Dem Freiberufler steht gerade nichts zu."),
    "ar-EG": ("حالة المرحلة «قيد المراجعة»، ويتطلب هذا", "لا شيء مستحق للمستقل الآن."),
    "en-US": ("The milestone is “In review”; this needs “Under way", "Nothing is owed to the freelancer now."),
}
HINTS: Final = {
    "de-DE": "Die meisten Pläne haben 3 bis 5 Meilensteine.",
    "ar-EG": "في معظم الخطط 3 إلى 5 مراحل.",
    "en-US": "Most plans have 3 to 5 milestones.",
}


@pytest.fixture(scope="module")
def deal(served: Served) -> Deal:
    return handed_in(served, "Reasons")


@pytest.fixture(scope="module")
def plan(served: Served) -> Deal:
    return proposed(served, "Two steps", ("Sketches", "Drafts"))


@pytest.mark.parametrize("language", SAID)
def test_reasons_and_hints_are_in_the_readers_language_alone(
    served: Served, new_window: NewWindow, deal: Deal, plan: Deal, language: str
) -> None:
    one = new_window(Look(language=language))
    person = at_the_console(one, served, "freelancer", place=contract(deal.contract_id))
    refused = person.page.locator("[part='section actions'] details")
    expect(refused.first).to_be_visible()
    for summary in refused.locator("summary").all():
        summary.click()
    person.reads(*SAID[language])
    expect(refused.locator("[lang=en]")).to_have_count(0)
    one.is_fine()

    person.page.goto(f"{served.url}/console{contract(plan.contract_id)}/REVISE/{plan.contract_id}")
    person.reads(HINTS[language])
    expect(person.page.locator("earnest-plan-editor bdi[lang=en]")).to_have_count(0)
