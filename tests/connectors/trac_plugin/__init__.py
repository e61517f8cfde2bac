"""Our plugin of Trac."""
