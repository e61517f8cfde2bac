"""What can be asked of Earnest: each mutation parses its input, runs one command, and says what came of it."""
