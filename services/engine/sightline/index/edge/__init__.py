"""VectorIndex on Qdrant Edge, which runs in processes of its own beside its clients."""
