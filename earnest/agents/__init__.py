"""Lets language models look at contracts and prepare what people then confirm: the tools of `earnest mcp`."""
