"""VectorIndex on a Qdrant server or cluster."""
