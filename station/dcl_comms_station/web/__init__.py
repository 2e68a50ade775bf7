"""The Station as a server: one gate, files, one socket for each page, and what is looked at."""
