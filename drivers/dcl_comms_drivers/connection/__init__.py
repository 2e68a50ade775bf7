"""The application's handle: its verbs, what it waits for, its wallet at work, its journal, its links."""
