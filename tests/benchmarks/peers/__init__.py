"""Earnest beside what one would write instead: the same operations on the same tables, in one run, in turn."""
