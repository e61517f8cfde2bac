"""Holds the mutations: each parses its input, runs one command, and answers with what came of it."""
