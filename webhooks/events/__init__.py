"""Says what can be received: the catalogue of events, an example of each, and which endpoint gets which."""
