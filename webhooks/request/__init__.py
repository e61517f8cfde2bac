"""One request to a receiver: where it may go, what is in it, and how it is signed and sent."""
