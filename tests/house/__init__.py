"""The house itself: what its rooms are called, and figures of its size. `python -m tests.house` prints them."""
