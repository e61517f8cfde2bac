"""Writes documentation from the code: the pages about events, and the pictures of the lifecycle."""
