"""Makes one request to a receiver: checks where it may go, builds its body, signs it and sends it."""
