"""Scans for duplicates: pairs of pictures that are alike, and the groups they make."""
