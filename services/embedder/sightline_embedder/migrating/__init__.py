"""Migrations: the points of a collection are made again in a version beside it, with another model."""
