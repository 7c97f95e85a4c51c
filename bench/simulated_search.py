"""Text searches, simulated: clients, gateway, the text batcher, and shards that all are asked.

Shapes come from the code (api/sightline_api/search/text_batcher.py, the index process); costs are given.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import simpy

from bench.simulated_cores import Cores, Stage, Steps
from sightline_api.search.text_batcher import MOST_AT_ONCE


@dataclass(frozen=True)
class SearchCosts:
    """What each part of a search costs when it runs alone.

    `texts` has the cost of a call of the encoder by number of texts, and `texts_again` that of one with as
    many as the call before it, for which less has to be prepared; between two numbers it is interpolated.
    `client` and `gateway` are what a search costs in these processes beside encoder and index; `asking` is
    the gateway's part of a call of the index, `index` the index process' own. `spread` are factors, around
    1, by which calls of encoder and index, and what client and gateway do together, differed from their
    median; one is drawn for each call.
    """

    client: Stage
    gateway: Stage
    texts: dict[int, Stage]
    texts_again: dict[int, Stage]
    asking: Stage
    index: Stage
    gateway_spread: Sequence[float] = (1.0,)
    encoder_spread: Sequence[float] = (1.0,)
    encoder_again_spread: Sequence[float] = (1.0,)
    index_spread: Sequence[float] = (1.0,)

    def encoding(self, texts: int, chance: random.Random, *, again: bool) -> Stage:
        """One call of the encoder; `again`: with as many texts as the one before."""
        costs = self.texts_again if again else self.texts
        spread = self.encoder_again_spread if again else self.encoder_spread
        sizes = sorted(costs)
        stages = [costs[size] for size in sizes]

        def at(values: Sequence[float]) -> float:
            return float(np.interp(texts, sizes, values))

        return Stage(
            at([one.cpu_s for one in stages]),
            at([one.width for one in stages]),
            at([one.wait_s for one in stages]),
        ).times(chance.choice(spread))


@dataclass(frozen=True)
class Shards:
    """How the index is spread: `number` shards, each on a machine of its own with `cores`; none: all of it is
    one, on the machine of everything else. `network_s` is there and back."""

    number: int = 1
    cores: float | None = None
    network_s: float = 0.0


@dataclass(frozen=True)
class Simulated:
    """Latencies in milliseconds, and searches per second of simulated time."""

    latencies_ms: Sequence[float]
    per_second: float

    def percentile(self, percent: float) -> float:
        """So many milliseconds at most for so many percent."""
        return float(np.percentile(self.latencies_ms, percent))


class _Search:
    def __init__(
        self, env: simpy.Environment, costs: SearchCosts, cores: float, shards: Shards, seed: int
    ) -> None:
        self._env = env
        self._costs = costs
        self._chance = random.Random(seed)
        self._cores = Cores(env, cores)
        # One interpreter computes at a time: that of the clients, of the gateway, and of each shard.
        self._client, self._gateway = simpy.Resource(env), simpy.Resource(env)
        self._encoding = False
        self._texts_before = 0
        self._texts: deque[simpy.Event] = deque()
        self._shards = [
            (simpy.Resource(env), self._cores if shards.cores is None else Cores(env, shards.cores))
            for _ in range(shards.number)
        ]
        self._network_s = shards.network_s

    def once(self) -> Steps:
        costs = self._costs
        factor = self._chance.choice(costs.gateway_spread)
        half = costs.gateway.times(factor / 2)
        yield from self._alone(self._client, self._cores, costs.client.times(factor))
        yield from self._alone(self._gateway, self._cores, half)
        yield from self._encode()
        yield from self._alone(self._gateway, self._cores, costs.asking)
        yield self._env.all_of([self._env.process(self._ask(lock, cores)) for lock, cores in self._shards])
        yield from self._alone(self._gateway, self._cores, half)

    def _ask(self, lock: simpy.Resource, cores: Cores) -> Steps:
        if self._network_s:
            yield self._env.timeout(self._network_s)
        factor = self._chance.choice(self._costs.index_spread)
        yield from self._alone(lock, cores, self._costs.index.times(factor))

    def _alone(self, lock: simpy.Resource, cores: Cores, stage: Stage) -> Steps:
        with lock.request() as turn:
            yield turn
            yield from cores.run(stage)

    def _encode(self) -> Steps:
        done = self._env.event()
        self._texts.append(done)
        if not self._encoding:
            self._env.process(self._lead())
        yield done

    def _lead(self) -> Steps:
        self._encoding = True
        while self._texts:
            batch = [self._texts.popleft() for _ in range(min(MOST_AT_ONCE, len(self._texts)))]
            again, self._texts_before = len(batch) == self._texts_before, len(batch)
            yield from self._cores.run(self._costs.encoding(len(batch), self._chance, again=again))
            for one in batch:
                one.succeed()
        self._encoding = False


def simulate_searches(
    costs: SearchCosts,
    *,
    cores: float,
    clients: int,
    seconds: float,
    shards: Shards | None = None,
    seed: int = 1,
) -> Simulated:
    """So many clients, each searching again as soon as it has its answer, for simulated seconds."""
    env = simpy.Environment()
    search = _Search(env, costs, cores, shards or Shards(), seed)
    latencies_ms: list[float] = []

    def client() -> Steps:
        while env.now < seconds:
            started = env.now
            yield from search.once()
            latencies_ms.append((env.now - started) * 1000)

    for _ in range(clients):
        env.process(client())
    env.run()
    return Simulated(latencies_ms, len(latencies_ms) / env.now)


def simulate_paced_searches(
    costs: SearchCosts,
    *,
    cores: float,
    per_second: float,
    seconds: float,
    shards: Shards | None = None,
    seed: int = 1,
) -> Simulated:
    """Searches that come by chance (Poisson), whether or not earlier ones have their answers."""
    env = simpy.Environment()
    search = _Search(env, costs, cores, shards or Shards(), seed)
    chance = random.Random(-seed)
    latencies_ms: list[float] = []

    def one() -> Steps:
        started = env.now
        yield from search.once()
        latencies_ms.append((env.now - started) * 1000)

    def arrivals() -> Steps:
        while env.now < seconds:
            env.process(one())
            yield env.timeout(chance.expovariate(per_second))

    env.process(arrivals())
    env.run()
    return Simulated(latencies_ms, len(latencies_ms) / env.now)
