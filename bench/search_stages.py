"""What a text search costs, part by part, while a stack answers one client and does nothing else.

Encoding is what a search for new texts takes longer than one for as many texts whose vectors the gateway
remembers; several texts are phrases of one query. New ones are asked for in turns, one text, two, and so
on, and again with as many texts each time: a call of the encoder costs more where it has another shape than
the one before. These go to a collection so small that the index takes next to nothing; that is measured too,
and taken off.
"""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from statistics import mean, median

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.cpu_time import cpu_seconds
from bench.free_cores import FreeCores
from bench.http_load import random_text, run_load
from bench.search_points import SearchPoints
from bench.search_services import LIMIT
from bench.simulated_cores import Stage
from bench.simulated_search import SearchCosts
from bench.stage_clock import LEAST_S, Timed, timed
from sightline.encoder import Encoder
from sightline.index import CollectionSpec, SearchQuery, VectorIndex
from sightline.payload import indexed_fields
from sightline_api.search.text_batcher import MOST_AT_ONCE

SMALL = "small"
_SMALL_POINTS = 100
_QUERIES = 1024
_TEXTS = (1, 2, 4, 8, MOST_AT_ONCE)
_KNOWN = [f"a+dog+and+{number}+cats" for number in range(MOST_AT_ONCE)]
_FREE_S = 0.3
_REST_S = 0.005
"""Between two calls of the index a search is encoded."""


@dataclass(frozen=True)
class SearchParts:
    """Searches of one client by number of texts: the seconds that each for `new` ones took, in turns, and
    `new_cpu_s`, the gateway's core-seconds of one, on average over all of them; those `again` for as many new
    ones as before; and those for `known` ones, of which the processor time is the client's own and the
    gateway's. And calls of the index in the small collection and in the one that is searched.
    """

    new: Mapping[int, Sequence[float]]
    new_cpu_s: float
    again: Mapping[int, Sequence[float]]
    known: Mapping[int, Timed]
    small: Timed
    index: Timed
    free_cores: float

    def and_then(self, later: "SearchParts") -> "SearchParts":
        """These calls and those made later, as if at once."""
        return SearchParts(
            {number: [*took_s, *later.new[number]] for number, took_s in self.new.items()},
            self._new_cpu_with(later),
            {number: [*took_s, *later.again[number]] for number, took_s in self.again.items()},
            {number: one.and_then(later.known[number]) for number, one in self.known.items()},
            self.small.and_then(later.small),
            self.index.and_then(later.index),
            mean([self.free_cores, later.free_cores]),
        )

    def _new_cpu_with(self, later: "SearchParts") -> float:
        calls, more = (sum(map(len, one.new.values())) for one in (self, later))
        return (calls * self.new_cpu_s + more * later.new_cpu_s) / (calls + more)

    def costs(self) -> SearchCosts:
        """What the parts of a search cost, by these calls."""
        known = self.known[1]
        gateway_s = max(0.0, known.other_cpu_s - self.small.own_cpu_s)
        passing = known.without(median(self.small.took_s))
        took_s = median(passing.took_s)
        texts = {number: self._encoding(self.new, number) for number in self.new}
        again = {number: self._encoding(self.again, number) for number in self.again}
        return SearchCosts(
            client=Stage(known.own_cpu_s),
            gateway=Stage(gateway_s, wait_s=max(0.0, took_s - gateway_s - known.own_cpu_s)),
            texts=self._stages(texts),
            texts_again=self._stages(again),
            asking=Stage(self.index.own_cpu_s),
            index=Stage(self.index.other_cpu_s, wait_s=self.index.waited_s(self.free_cores)),
            gateway_spread=passing.spread(),
            encoder_spread=texts[1].spread(),
            encoder_again_spread=again[1].spread(),
            index_spread=self.index.spread(),
        )

    def _stages(self, calls: Mapping[int, Timed]) -> dict[int, Stage]:
        return {number: one.stage(self.free_cores, self._width(one)) for number, one in calls.items()}

    def _encoding(self, searches: Mapping[int, Sequence[float]], texts: int) -> Timed:
        took_s = self._encoding_s(searches, texts)
        return Timed(took_s, self._busy_cores() * median(took_s), 0.0)

    def _encoding_s(self, searches: Mapping[int, Sequence[float]], texts: int) -> Sequence[float]:
        known_s = median(self.known[texts].took_s)
        return [max(LEAST_S, took_s - known_s) for took_s in searches[texts]]

    def _busy_cores(self) -> float:
        """How many cores encoding used while it went on."""
        calls = {number: len(took_s) for number, took_s in self.new.items()}
        cpu_s = self.new_cpu_s * sum(calls.values())
        cpu_s -= sum(self.known[number].other_cpu_s * made for number, made in calls.items())
        return max(LEAST_S, cpu_s) / sum(sum(self._encoding_s(self.new, number)) for number in self.new)

    def _width(self, calls: Timed) -> float:
        """How many cores the calls would use if they had all of them."""
        cores = os.cpu_count() or 1
        return float(np.clip(calls.cpu_s / median(calls.took_s) * cores / self.free_cores, 1.0, cores))


def _vectors_of_texts(encoder: Encoder) -> NDArray[np.float32]:
    chance = random.Random("stages")
    batches = [[random_text(chance) for _ in range(MOST_AT_ONCE)] for _ in range(_QUERIES // MOST_AT_ONCE)]
    return np.concatenate([encoder.encode_texts(batch) for batch in batches])


class SearchStages:
    """Measures the parts of a search in a stack that does nothing else."""

    def __init__(
        self, stack: psutil.Process, port: int, index: VectorIndex, points: SearchPoints, encoder: Encoder
    ) -> None:
        """Fill the small collection with the first of the points; what is searched for are texts."""
        self._stack = stack
        self._port = port
        self._index = index
        self._space = points.space
        # Many, and of texts: the index would have few in its caches, and be done sooner near its points.
        self._queries = cycle(_vectors_of_texts(encoder))
        self._seeds = count(1_000_000)
        spec = CollectionSpec(SMALL, points.space, points.vectors.shape[1], indexed_fields({}))
        index.ensure_collection(spec)
        index.insert(SMALL, SearchPoints(points.vectors[:_SMALL_POINTS], points.space).records())

    def measure(self, collection: str, seconds: float, free: FreeCores) -> SearchParts:
        """Each part for about so many seconds."""
        before = free.count(_FREE_S)
        each_s = seconds / len(_TEXTS)
        turns = self._asking([["{}"] * number for number in _TEXTS], 2 * seconds)
        new = {number: turns.took_s[place :: len(_TEXTS)] for place, number in enumerate(_TEXTS)}
        again = {number: self._asking([["{}"] * number], each_s).took_s for number in _TEXTS}
        known = {number: self._asking([_KNOWN[:number]], each_s) for number in _TEXTS}
        small, index = self._searching(SMALL, seconds / 2), self._searching(collection, seconds)
        free_cores = mean([before, free.count(_FREE_S)])
        return SearchParts(new, turns.other_cpu_s, again, known, small, index, free_cores)

    def _searching(self, collection: str, seconds: float) -> Timed:
        """Calls of the index as the gateway makes them."""

        def once() -> None:
            query = SearchQuery(next(self._queries), self._space, LIMIT + 1, with_vectors=True)
            self._index.search(collection, query)

        return timed(once, seconds, lambda: cpu_seconds(self._stack).get("index", 0.0), _REST_S)

    def _asking(self, searches: Sequence[Sequence[str]], seconds: float) -> Timed:
        """Searches of one client in turns, each for all of its phrases."""
        queries = ["+".join(f"%22{text}%22" for text in texts) for texts in searches]
        paths = [f"/v1/search?q={query}&limit={LIMIT}&collection={SMALL}" for query in queries]
        before = cpu_seconds(self._stack).get("api", 0.0)
        load = run_load(self._port, paths, clients=1, seconds=seconds, seed=next(self._seeds))
        used_s = cpu_seconds(self._stack).get("api", 0.0) - before
        made = len(load.latencies_ms)
        return Timed([ms / 1000 for ms in load.latencies_ms], load.cpu_s / made, used_s / made)
