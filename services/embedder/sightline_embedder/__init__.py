"""The embedder: a Celery worker that plans jobs, embeds pictures and writes points."""
