"""Looks at a deployment as an operator would who knows what goes wrong, and says of each finding what to do."""
