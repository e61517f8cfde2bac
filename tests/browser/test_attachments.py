"""Files that belong to what somebody hands in: what was chosen when it was sent is named there, however long it is read."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import at_work
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served

CONTENT: Final = b"A poster."
WORK: Final = """query Work($id: ID!) {
  milestone(id: $id) { submissions { nodes { message attachments { name sha256 } } } }
}"""

SLOW: Final = """() => {
  Blob.prototype.arrayBuffer = async function () {
    await new Promise((done) => (window.goOn = done));
    return new Response(this).arrayBuffer();
  };
}"""
"""Each file is read once somebody lets it go on."""

TORN: Final = "() => { Blob.prototype.arrayBuffer = async () => { throw new Error('The file has changed.'); }; }"


def test_what_is_sent_while_a_file_is_read_has_it_and_goes_without_it_by_no_means(
    served: Served, new_window: NewWindow
) -> None:
    deal = at_work(served, "A large file")
    freelancer = at_the_console(new_window(), served, "freelancer", place=contract(deal.contract_id))
    freelancer.presses(freelancer.can("Submit work"))
    form = freelancer.page.get_by_role("form", name="Submit work", exact=True)
    confirm = form.get_by_role("button", name="Confirm", exact=True)
    freelancer.writes(form.get_by_role("textbox", name="Message"), "Here it is.")

    freelancer.page.evaluate(TORN)
    form.get_by_label("Files").set_input_files({"name": "poster.pdf", "mimeType": "application/pdf", "buffer": CONTENT})
    freelancer.presses(confirm)
    expect(form.get_by_role("alert")).to_contain_text("The file has changed.")
    assert served.ask("client", WORK, id=deal.milestone())["milestone"]["submissions"]["nodes"] == []

    freelancer.page.evaluate(SLOW)
    freelancer.presses(confirm)
    freelancer.page.wait_for_function("() => window.goOn")
    freelancer.page.evaluate("window.goOn()")
    freelancer.sees_milestone("Sketches", "In review")
    attached = {"name": "poster.pdf", "sha256": sha256(CONTENT).hexdigest()}
    (handed_in,) = served.ask("client", WORK, id=deal.milestone())["milestone"]["submissions"]["nodes"]
    assert handed_in == {"message": "Here it is.", "attachments": [attached]}
