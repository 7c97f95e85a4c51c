"""Collections as files: what an export is made of, and where exports and imports lie."""
