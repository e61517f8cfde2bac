"""The manual over HTTP."""
