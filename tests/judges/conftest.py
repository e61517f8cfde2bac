"""A served Earnest, a contract, and couplings of it with the judges."""

from tests.connectors.conftest import couple, deal, served

__all__ = ["couple", "deal", "served"]
