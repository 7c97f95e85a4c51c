"""Sightline on one machine: the supervisor of an embedded stack, and the `sightline` command."""
