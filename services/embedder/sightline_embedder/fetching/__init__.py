"""Fetching from URLs that strangers wrote: public addresses only, within limits, politely."""

from sightline_embedder.fetching.fetcher import Download, Fetched, Fetcher
from sightline_embedder.fetching.limits import FetchLimits

__all__ = ["Download", "FetchLimits", "Fetched", "Fetcher"]
