"""Our own clients: built, packed, installed into fresh folders and run against a deployment."""
