"""The domain, tested."""
