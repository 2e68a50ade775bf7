"""The same services from their other end: a module has the name of what it serves."""
