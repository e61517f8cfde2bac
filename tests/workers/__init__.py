"""The worker process, tested."""
