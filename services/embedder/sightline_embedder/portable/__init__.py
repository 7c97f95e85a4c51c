"""Points in and out as files: exports, imports of them, and imports of what clip-retrieval wrote."""
