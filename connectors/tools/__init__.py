"""The tools that are known: each module says only how one of them is read and written."""
