"""Random documents are answered alike with and without compilation; `COMPILED_DOCUMENTS` asks for so many new ones."""

from __future__ import annotations

import os
import random
import warnings

import pytest

from tests.schema.compiled.differential import Differential, Tally
from tests.schema.compiled.documents import Document
from tests.schema.compiled.worlds import WorldReadOnce

ASKED = int(os.environ.get("COMPILED_DOCUMENTS", "0"))

SEEDS = (20_261_129, 7) if not ASKED else (random.SystemRandom().randrange(2**31),)
"""The same each time, so that no change fails for what chance finds; whoever asks for more gets new ones."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_documents_are_answered_alike(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what graphql-core gives up, nobody awaits
        tally = await Differential().run(ASKED or 250, seed)
    assert not tally.differences, f"seed {seed}: {tally.differences[0]}"
    assert tally.with_errors > tally.documents // 10
    counts = tally.compiler.counts
    assert counts.compiled > tally.documents // 4 < counts.compiled + counts.replayed
    assert not counts.fallbacks, "everything in the schema can be compiled"


THE_SAME_LIST_TWICE = """
query { a1: contracts { ...F0 a70: nodes { ... on Node { id a54: id } a83: client { isOperator id } } totalCount ...F0 } }
fragment F0 on ContractConnection { nodes { a29: offeredAt state } a8: edges { cursor } totalCount __typename }
"""
"""Found by chance among 100,000: what stands under `nodes` is plain, what stands under `a70` calls a resolver."""


async def test_a_list_under_two_keys_fails_under_the_first() -> None:
    compared = Differential(WorldReadOnce)
    tally = Tally(compared.compiler)
    for seed in range(4):
        await compared.compare(Document(THE_SAME_LIST_TWICE, {}), seed, tally)
    assert not tally.differences, tally.differences[0]
    assert tally.documents == 4
    assert tally.with_errors
