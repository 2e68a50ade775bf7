"""The commands, one a module: arguments in, exit code out."""
