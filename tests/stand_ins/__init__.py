"""Strangers that Earnest talks to, played by us: each answers as its original does, at its worst."""
