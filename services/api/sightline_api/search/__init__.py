"""Searches: from the parts of a query to its hits, and how far these can be trusted."""
