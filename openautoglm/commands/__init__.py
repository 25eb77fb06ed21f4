"""One file, one command; see openautoglm/cli.py."""
