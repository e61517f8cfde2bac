"""The HTTP door: routes, authentication, limits and health around `schema`."""
