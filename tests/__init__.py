"""The tests mirror the source; what they share is in `conftest.py` and `engines.py`."""
