"""A job of pictures, simulated: a queue of batches, embedders that take two at a time, decoders, encoder.

Shapes come from the code (worker.py, read_ahead.py and indexing.py of the embedder); costs are given.
"""

from dataclasses import dataclass

import simpy

from bench.simulated_cores import Cores, Stage, Steps
from sightline_embedder.worker import BATCHES_AT_ONCE


@dataclass(frozen=True)
class IngestCosts:
    """What a picture costs in each stage that runs alone.

    `reading` is what the embedder, the queue and the index do for a picture beside the other stages: reading
    the file, looking it up, recording what became of it. `encoding` is for a picture of a full batch.
    `inserting` has the file of the thumbnail with it. `start_s` passes before the first batch and after
    the last.
    """

    reading: Stage
    decoding: Stage
    encoding: Stage
    inserting: Stage
    start_s: float = 0.0


@dataclass(frozen=True)
class Embedders:
    """Machines that take batches from one queue; `cores` is what each of them has."""

    number: int = 1
    cores: float = 2.0
    decode_processes: int = 2
    batch_pictures: int = 32


class _Embedder:
    def __init__(self, env: simpy.Environment, costs: IngestCosts, machine: Embedders) -> None:
        self._env = env
        self._costs = costs
        self._cores = Cores(env, machine.cores)
        # One interpreter reads and records at a time, and the tower has one lock.
        self._interpreter, self._tower = simpy.Resource(env), simpy.Resource(env)
        self._decoders = simpy.Resource(env, machine.decode_processes)

    def take_batches(self, queue: simpy.Store) -> Steps:
        while True:
            pictures = yield queue.get()
            if not pictures:
                yield queue.put(0)  # the others are to end too
                return
            yield from self._batch(pictures)

    def _batch(self, pictures: int) -> Steps:
        decoding = []
        for _ in range(pictures):
            yield from self._alone(self._interpreter, self._costs.reading)
            decoding.append(self._env.process(self._alone(self._decoders, self._costs.decoding)))
        yield self._env.all_of(decoding)
        yield from self._alone(self._tower, self._costs.encoding.times(pictures))
        yield from self._alone(self._interpreter, self._costs.inserting.times(pictures))

    def _alone(self, lock: simpy.Resource, stage: Stage) -> Steps:
        with lock.request() as turn:
            yield turn
            yield from self._cores.run(stage)


def simulate_ingest(costs: IngestCosts, pictures: int, machines: Embedders) -> float:
    """Pictures per second of a job with so many, from the request to its end."""
    env = simpy.Environment(initial_time=costs.start_s)
    queue = simpy.Store(env)
    size = machines.batch_pictures
    batches = [size] * (pictures // size) + ([pictures % size] if pictures % size else [])
    queue.items.extend([*batches, 0])
    for _ in range(machines.number):
        embedder = _Embedder(env, costs, machines)
        for _ in range(BATCHES_AT_ONCE):
            env.process(embedder.take_batches(queue))
    env.run()
    return pictures / env.now
