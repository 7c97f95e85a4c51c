"""Backups: all that a Sightline keeps, taken while it works, and put back into an empty one."""
