"""What the gateway tells Prometheus of itself; with state_metrics.py the door to its client library."""

from http import HTTPMethod
from importlib.metadata import version

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from sightline_api.http.state_metrics import StateCollector, Watched

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The text format that every version of Prometheus reads."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16)
"""Texts encoded at once; see MOST_AT_ONCE."""
_TENTHS = tuple(number / 10 for number in range(11))
"""Of ten neighbours, none to all may be found."""
_METHODS = frozenset(method.value for method in HTTPMethod)
_OTHER = "other"


class Metrics:
    """The metrics of one application, in a registry of their own. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin everything at zero."""
        registry = CollectorRegistry()
        self._registry = registry
        ProcessCollector(registry=registry)
        build = Info("sightline_build", "The version of the gateway.", registry=registry)
        build.info({"version": version("sightline-api")})
        self._requests = Counter(
            "sightline_http_requests",
            "Requests answered, by the template of their route ('other': no such route).",
            ("route", "method", "status"),
            registry=registry,
        )
        self._answers = Histogram(
            "sightline_http_request_duration_seconds",
            "From the head of a request to the first byte of its answer.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._search_stages = Histogram(
            "sightline_search_stage_duration_seconds",
            "Time of a search for encoding its query, and in the index.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "sightline_encoder_batch_size",
            "Texts or pictures that the encoder was given at once.",
            ("tower",),
            buckets=_SIZES,
            registry=registry,
        )
        self._text_hits = Counter(
            "sightline_text_cache_hits", "Texts whose vectors were remembered.", registry=registry
        )
        self._text_misses = Counter(
            "sightline_text_cache_misses", "Texts that had to be encoded.", registry=registry
        )
        self._state = StateCollector()
        registry.register(self._state)
        self._recall = Histogram(
            "sightline_recall_at_10",
            "Share of the 10 exactly nearest points that a sampled search finds.",
            ("collection",),
            buckets=_TENTHS,
            registry=registry,
        )
        self._recall_checks = Counter(
            "sightline_recall_checks",
            "Sampled searches that were compared with an exact search, or should have been.",
            ("collection",),
            registry=registry,
        )
        self._recall_failures = Counter(
            "sightline_recall_check_failures",
            "Those of them that the index did not answer.",
            ("collection",),
            registry=registry,
        )

    def request_answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template of its path, so that there are few of them."""
        # Callers may send any method; each would stay in memory for good.
        known = method if method in _METHODS else _OTHER
        self._requests.labels(route or _OTHER, known, status).inc()
        self._answers.labels(route or _OTHER, known).observe(seconds)

    def searched(self, encode_s: float, index_s: float) -> None:
        """Take in the seconds that a search spent on its query, and in the index."""
        self._search_stages.labels("encode").observe(encode_s)
        self._search_stages.labels("index").observe(index_s)

    def texts_encoded(self, texts: int) -> None:
        """Take in how many texts were encoded at once."""
        self._batches.labels("text").observe(texts)

    def pictures_encoded(self, pictures: int) -> None:
        """Take in how many pictures were encoded at once."""
        self._batches.labels("picture").observe(pictures)

    def texts_looked_up(self, remembered: int, new: int) -> None:
        """Count texts of queries by whether their vectors were remembered."""
        self._text_hits.inc(remembered)
        self._text_misses.inc(new)

    def watch(self, watched: Watched) -> None:
        """From now on, say at each scrape what these are like."""
        self._state.watched = watched

    def recall_check_begun(self, collection: str) -> None:
        """Count a check of recall, whatever comes of it."""
        self._recall_checks.labels(collection).inc()
        # A series that begins with its first failure would show no increase.
        self._recall_failures.labels(collection)

    def recall_check_failed(self, collection: str) -> None:
        """Count a check that the index did not answer."""
        self._recall_failures.labels(collection).inc()

    def recall_measured(self, collection: str, recall: float) -> None:
        """Take in the recall@10 of one search, from 0 to 1."""
        self._recall.labels(collection).observe(recall)

    def text(self) -> bytes:
        """All metrics as CONTENT_TYPE says."""
        return generate_latest(self._registry)
