"""Begins every command, and ends it where somebody presses Ctrl-C: also while what it is made of is still being imported."""

INTERRUPTED = 128 + 2
"""As the shell says it of a program that Ctrl-C ended."""


def main(argv: list[str] | None = None) -> int:
    """Run one command and give its exit code, as `earnest.cli.main` does; after Ctrl-C without a word."""
    try:
        from earnest import cli  # here, since by then somebody hears it

        return cli.main(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
