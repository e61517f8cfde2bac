"""The console: pages and modules that browsers load as they stand here, and the explorer of the API."""
