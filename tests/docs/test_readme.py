"""The README's commands, run as they stand there by somebody who just started the product."""

from __future__ import annotations

from tests.docs.conftest import Deployed
from tests.docs.product import run, shell_blocks


def test_the_readmes_requests_do_what_it_says(deployed: Deployed) -> None:
    port, client = deployed.port, deployed.keys["client"]
    first, mutation, record = (
        block.replace("CLIENT=ek_…", f"CLIENT={client}").replace(":8000", f":{port}")
        for block in shell_blocks("README.md")
    )

    (contract,) = run(first)["data"]["contracts"]["nodes"]
    milestone = contract["currentMilestone"]
    assert (milestone["title"], milestone["state"]) == ("Approving the wireframe", "SUBMITTED")
    assert contract["nextDeadline"]["action"] == "milestone.released"

    filled = f"CLIENT={client}\n" + mutation.replace("MILESTONE=mil_…", f"MILESTONE={milestone['id']}")
    for _ in range(2):  # "Send it again and nothing more happens"
        payload = run(filled)["data"]["approveMilestone"]
        assert payload["userErrors"] == []
        assert payload["milestone"]["state"] == "RELEASED"

    (contract,) = run(f"CLIENT={client}\n{record}")["data"]["contracts"]["nodes"]
    events = contract["timeline"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [event["previousHash"] for event in events[1:]] == [event["hash"] for event in events[:-1]]
    assert [event["type"] for event in events].count("milestone.released") == 2
    assert contract["transfers"]["nodes"]
