"""Manifests: tables in CSV, JSONL or Parquet that name pictures and say something about each.

They are read row by row in bounded memory; Parquet, which is compressed, in a process of its own.
"""

from sightline_embedder.sources.manifests.listing import ManifestListing
from sightline_embedder.sources.manifests.places import ManifestPlace, manifest_place

__all__ = ["ManifestListing", "ManifestPlace", "manifest_place"]
