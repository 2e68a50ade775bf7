"""The user's own file: names for targets, and what options are unless the command line says."""
