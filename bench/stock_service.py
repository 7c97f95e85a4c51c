"""What most people would write: FastAPI, sentence-transformers, a query to Qdrant's engine.

    python -m bench.stock_service MODEL_FOLDER POINTS.npz PORT

Serves GET /search?q=…&limit=… over the vectors and payloads of the file. The engine is Qdrant Edge, in
this process: quicker than a server behind HTTP, and than the client's own local mode.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge
import uvicorn
from fastapi import FastAPI

from bench.search_points import SearchPoints, load_points

_PER_CALL = 1000


def open_shard(folder: Path, points: SearchPoints) -> edge.EdgeShard:
    """A shard that holds the points."""
    params = edge.EdgeVectorParams(size=points.vectors.shape[1], distance=edge.Distance.Cosine)
    folder.mkdir()
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=params))
    records = points.records()
    for start in range(0, len(records), _PER_CALL):
        made = [
            edge.Point(record.id, record.vector.tolist(), record.payload.model_dump(mode="json"))
            for record in records[start : start + _PER_CALL]
        ]
        shard.update(edge.UpdateOperation.upsert_points(made))
    return shard


def create_app(model: Any, shard: edge.EdgeShard) -> FastAPI:
    """The service over a loaded model and a filled shard."""
    app = FastAPI()

    @app.get("/search")
    def search(q: str, limit: int = 20) -> dict[str, Any]:
        vector = model.encode(q, normalize_embeddings=True)
        query = edge.Query.Nearest(np.asarray(vector, dtype=np.float32).tolist())
        found = shard.query(edge.QueryRequest(query=query, limit=limit, with_payload=True))
        return {"hits": [{"id": str(hit.id), "score": hit.score, "payload": hit.payload} for hit in found]}

    return app


def main() -> None:
    """Serve until killed."""
    from sentence_transformers import SentenceTransformer

    model_folder, points_file, port = sys.argv[1:]
    model = SentenceTransformer(model_folder, device="cpu", local_files_only=True)
    with tempfile.TemporaryDirectory() as temporary:
        shard = open_shard(Path(temporary) / "shard", load_points(Path(points_file)))
        uvicorn.run(create_app(model, shard), host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
