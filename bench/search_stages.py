"""What a text search costs, part by part, each part alone: encoder, index, gateway and client.

The gateway is measured by one client that asks for one text over and over, whose vector is remembered, in
a collection so small that the index takes next to nothing; that is measured too, and taken off.
"""

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from statistics import mean, median

import numpy as np
import psutil

from bench.cpu_time import cpu_seconds
from bench.free_cores import FreeCores
from bench.http_load import random_text, run_load
from bench.search_points import SearchPoints
from bench.search_services import LIMIT
from bench.simulated_cores import Stage
from bench.simulated_search import SearchCosts
from bench.stage_clock import Timed, timed
from sightline.encoder import Encoder
from sightline.index import CollectionSpec, SearchQuery, VectorIndex
from sightline.payload import indexed_fields
from sightline_api.search.text_batcher import MOST_AT_ONCE

SMALL = "small"
_SMALL_POINTS = 100
_TEXTS = (1, 2, 4, 8, MOST_AT_ONCE)
_FREE_S = 0.3
_ASKED = f"/v1/search?q=a+dog+on+a+beach&limit={LIMIT}&collection={SMALL}"


@dataclass(frozen=True)
class SearchParts:
    """Calls of each part alone: the encoder's by number of texts, the index' in the small collection and in
    the one that is searched, and of the gateway, the clients' own share being `client_s` of each.
    """

    texts: Mapping[int, Timed]
    small: Timed
    index: Timed
    gateway: Timed
    client_s: float
    free_cores: float

    def and_then(self, later: "SearchParts") -> "SearchParts":
        """These calls and those made later, as if at once."""
        return SearchParts(
            {number: one.and_then(later.texts[number]) for number, one in self.texts.items()},
            self.small.and_then(later.small),
            self.index.and_then(later.index),
            self.gateway.and_then(later.gateway),
            mean([self.client_s, later.client_s]),
            mean([self.free_cores, later.free_cores]),
        )

    def costs(self) -> SearchCosts:
        """What the parts of a search cost, by these calls."""
        width = _width(self.texts[MOST_AT_ONCE], self.free_cores)
        gateway_s = max(0.0, self.gateway.other_cpu_s - self.small.own_cpu_s)
        took_s = median(self.gateway.took_s) - median(self.small.took_s)
        return SearchCosts(
            client=Stage(self.client_s),
            gateway=Stage(gateway_s, wait_s=max(0.0, took_s - gateway_s - self.client_s)),
            texts={number: one.stage(self.free_cores, width) for number, one in self.texts.items()},
            asking=Stage(self.index.own_cpu_s),
            index=Stage(self.index.other_cpu_s, wait_s=self.index.waited_s(self.free_cores)),
            encoder_spread=self.texts[1].spread(),
            index_spread=self.index.spread(),
        )


class SearchStages:
    """Measures the parts of a search in a stack that does nothing else."""

    def __init__(
        self, stack: psutil.Process, port: int, index: VectorIndex, encoder: Encoder, points: SearchPoints
    ) -> None:
        """Fill the small collection with the first of the points, which are also what is searched for."""
        self._stack = stack
        self._port = port
        self._index = index
        self._encoder = encoder
        self._queries = cycle(points.vectors[:_SMALL_POINTS])
        self._chance = random.Random("stages")
        spec = CollectionSpec(SMALL, points.space, points.vectors.shape[1], indexed_fields({}))
        index.ensure_collection(spec)
        index.insert(SMALL, SearchPoints(points.vectors[:_SMALL_POINTS], points.space).records())

    def measure(self, collection: str, seconds: float, free: FreeCores) -> SearchParts:
        """Each part alone for about so many seconds."""
        before = free.count(_FREE_S)
        texts = {number: self._encoding(number, seconds / len(_TEXTS)) for number in _TEXTS}
        small, index = self._searching(SMALL, seconds / 2), self._searching(collection, seconds)
        gateway, client_s = self._asking_the_gateway(seconds)
        return SearchParts(texts, small, index, gateway, client_s, mean([before, free.count(_FREE_S)]))

    def _encoding(self, texts: int, seconds: float) -> Timed:
        return timed(
            lambda: self._encoder.encode_texts([random_text(self._chance) for _ in range(texts)]), seconds
        )

    def _searching(self, collection: str, seconds: float) -> Timed:
        """Calls of the index as the gateway makes them."""
        space = self._encoder.manifest.space

        def once() -> None:
            query = SearchQuery(next(self._queries), space, LIMIT + 1, with_vectors=True)
            self._index.search(collection, query)

        return timed(once, seconds, lambda: cpu_seconds(self._stack).get("index", 0.0))

    def _asking_the_gateway(self, seconds: float) -> tuple[Timed, float]:
        """Searches that need no encoder, and the core-seconds that the client took of each."""
        before = cpu_seconds(self._stack).get("api", 0.0)
        load = run_load(self._port, _ASKED, clients=1, seconds=seconds, seed=1)
        used_s = cpu_seconds(self._stack).get("api", 0.0) - before
        searches = len(load.latencies_ms)
        client_s = load.cpu_s / searches
        return Timed([ms / 1000 for ms in load.latencies_ms], client_s, used_s / searches), client_s


def _width(calls: Timed, free_cores: float) -> float:
    """How many cores the calls would use if they had all of them."""
    cores = os.cpu_count() or 1
    return float(np.clip(calls.cpu_s / median(calls.took_s) * cores / free_cores, 1.0, cores))
