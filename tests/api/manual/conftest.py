"""Everything that there is to read, once for all of these tests."""

import pytest

from api.manual.library import Library, collect
from schema.build import executable


@pytest.fixture(scope="package")
def books() -> Library:
    """The library of this checkout."""
    return collect(executable())
