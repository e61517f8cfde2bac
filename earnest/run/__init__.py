"""How a deployment runs on one machine: the embedded engines' settings, the supervisor, and how a web process serves."""
