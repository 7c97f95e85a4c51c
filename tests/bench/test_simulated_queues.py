"""The simulation against what is known in closed form: it cannot be wrong without anybody noticing."""

import math
import random
from itertools import pairwise

import pytest
import simpy
from bench.simulated_cores import Cores, Stage, Steps
from bench.simulated_ingest import Embedders, IngestCosts, simulate_ingest
from bench.simulated_search import (
    SearchCosts,
    Shards,
    Simulated,
    simulate_paced_searches,
    simulate_searches,
)

NOTHING = Stage(0.0)


def mean_sojourn_s(cores: int, per_s: float, arrivals: int) -> float:
    """Of jobs of one core and one second on average, exponential, that come by chance."""
    env = simpy.Environment()
    shared, chance = Cores(env, cores), random.Random(7)
    sojourns: list[float] = []

    def job() -> Steps:
        began = env.now
        yield from shared.run(Stage(chance.expovariate(1.0)))
        sojourns.append(env.now - began)

    def come() -> Steps:
        for _ in range(arrivals):
            env.process(job())
            yield env.timeout(chance.expovariate(per_s))

    env.process(come())
    env.run()
    return sum(sojourns) / len(sojourns)


def erlang_c(servers: int, load: float) -> float:
    """The probability of waiting in M/M/c, by Erlang's formula."""
    full = load**servers / math.factorial(servers) * servers / (servers - load)
    return full / (sum(load**k / math.factorial(k) for k in range(servers)) + full)


@pytest.mark.parametrize(("cores", "per_s"), [(1, 0.5), (1, 0.7), (3, 2.1)])
def test_shared_cores_are_the_queue_of_kleinrock(cores: int, per_s: float) -> None:
    expected = 1 + erlang_c(cores, per_s) / (cores - per_s)
    assert mean_sojourn_s(cores, per_s, 12_000) == pytest.approx(expected, rel=0.06)


def ends(cores: float, *stages: Stage) -> list[float]:
    """When each of some stages that begin together is done."""
    env = simpy.Environment()
    shared, found = Cores(env, cores), [0.0] * len(stages)

    def job(row: int, stage: Stage) -> Steps:
        yield from shared.run(stage)
        found[row] = env.now

    for row, stage in enumerate(stages):
        env.process(job(row, stage))
    env.run()
    return found


def test_every_thread_has_as_much_of_the_cores_as_any_other() -> None:
    # 4 cores for 5 threads: each has one for 0.8 of the time, and all of the wide job at once for 0.8 ** 4.
    until_then = 4 * 0.8**4 * 1.25
    assert ends(4, Stage(1.0, 1), Stage(until_then + 4.0, 4)) == pytest.approx([1.25, 2.25])
    # No job is wider than itself or the machine, and two that want all have half each.
    assert ends(4, Stage(1.0, 1)) == pytest.approx([1.0])
    assert ends(1, Stage(1.0, 2), Stage(1.0, 2)) == pytest.approx([2.0, 2.0])
    assert ends(0.5, Stage(1.0, 2)) == pytest.approx([2.0])
    assert ends(1, Stage(1.0, wait_s=3.0), Stage(2.0)) == pytest.approx([4.0, 2.0])


def costs(**changed: object) -> SearchCosts:
    """Costs of nothing but what is given."""
    given = {
        "client": NOTHING,
        "gateway": NOTHING,
        "texts": {1: NOTHING, 16: NOTHING},
        "asking": NOTHING,
        "index": NOTHING,
    }
    changed = {"texts_again": changed.get("texts", given["texts"])} | changed
    return SearchCosts(**(given | changed))  # type: ignore[arg-type]


def test_one_client_waits_for_all_parts_one_after_another() -> None:
    one = costs(
        client=Stage(0.001),
        gateway=Stage(0.002, wait_s=0.003),
        texts={1: Stage(0.016, 2.0)},
        asking=Stage(0.001),
        index=Stage(0.004),
    )
    found = simulate_searches(one, cores=2, clients=1, seconds=2)
    assert found.latencies_ms == pytest.approx([19.0] * len(found.latencies_ms))
    assert found.per_second == pytest.approx(1 / 0.019)


def test_a_call_with_as_many_texts_as_the_one_before_has_its_own_cost() -> None:
    one = costs(texts={1: Stage(0.030)}, texts_again={1: Stage(0.010)})
    found = simulate_searches(one, cores=2, clients=1, seconds=1)
    assert found.latencies_ms[:3] == pytest.approx([30.0, 10.0, 10.0])


def test_a_search_that_passes_slowly_does_so_in_client_and_gateway_alike() -> None:
    one = costs(client=Stage(0.002), gateway=Stage(0.006), index=Stage(0.010), gateway_spread=[0.5, 1.0, 2.0])
    found = simulate_searches(one, cores=2, clients=1, seconds=4)
    assert sorted({round(ms, 6) for ms in found.latencies_ms}) == [14.0, 18.0, 26.0]


def by_little(found: Simulated) -> float:
    """How many searches there are at a time: rate times mean latency (Little, 1961)."""
    return found.per_second * sum(found.latencies_ms) / len(found.latencies_ms) / 1000


@pytest.mark.parametrize("clients", [1, 5, 40])
def test_clients_are_as_many_as_little_says(clients: int) -> None:
    one = costs(texts={1: Stage(0.010), 16: Stage(0.040)}, index=Stage(0.003), gateway=Stage(0.002))
    found = simulate_searches(one, cores=2, clients=clients, seconds=20)
    assert by_little(found) == pytest.approx(clients, rel=0.03)


def test_the_bottleneck_bounds_the_rate_and_is_reached() -> None:
    index = costs(texts={1: Stage(0.001), 16: Stage(0.002)}, index=Stage(0.010))
    assert simulate_searches(index, cores=8, clients=20, seconds=20).per_second == pytest.approx(
        100, rel=0.02
    )
    encoder = costs(texts={1: Stage(0.010), 16: Stage(0.040)})
    found = simulate_searches(encoder, cores=8, clients=64, seconds=20)
    assert found.per_second == pytest.approx(16 / 0.040, rel=0.02)
    machine = simulate_searches(costs(gateway=Stage(0.01), index=Stage(0.01)), cores=1, clients=9, seconds=20)
    assert machine.per_second == pytest.approx(1 / 0.02, rel=0.02)


def test_a_search_waits_for_the_slowest_of_its_shards() -> None:
    """The mean of the largest of n exponential times is their mean times 1 + 1/2 + ... + 1/n."""
    chance = random.Random(3)
    spread = [chance.expovariate(1.0) for _ in range(4_000)]
    one = costs(index=Stage(0.010), index_spread=spread)
    for number in (1, 4, 12):
        shards = Shards(number, cores=8.0, network_s=0.002)
        found = simulate_searches(one, cores=8, clients=1, seconds=25, shards=shards)
        expected = 10 * sum(1 / k for k in range(1, number + 1)) + 2
        assert sum(found.latencies_ms) / len(found.latencies_ms) == pytest.approx(expected, rel=0.08)


def test_searches_that_come_by_chance_wait_as_pollaczek_and_khinchine_say() -> None:
    """M/D/1: one interpreter, 10 ms each, 60 of 100 a second."""
    found = simulate_paced_searches(costs(index=Stage(0.010)), cores=4, per_second=60, seconds=100)
    expected = 10 + 0.6 * 10 / (2 * (1 - 0.6))
    assert sum(found.latencies_ms) / len(found.latencies_ms) == pytest.approx(expected, rel=0.05)


def ingest(cores: float, machines: int = 1, pictures: int = 1_920) -> float:
    one = IngestCosts(Stage(0.002), Stage(0.020), Stage(0.030, 2.0), Stage(0.001))
    return simulate_ingest(one, pictures, Embedders(machines, cores, decode_processes=2))


def test_stages_that_share_cores_reach_what_their_sum_allows() -> None:
    for cores in (0.5, 1.0):
        assert ingest(cores) == pytest.approx(cores / 0.053, rel=0.03)
        assert ingest(cores) <= cores / 0.053 * (1 + 1e-9)


def test_threads_that_wait_for_each_other_leave_cores_unused() -> None:
    assert 0.75 < ingest(2.0) / (2.0 / 0.053) < 0.95


def test_with_cores_to_spare_the_slowest_stage_decides() -> None:
    # 30 ms on two threads are 15; two decode processes of 20 ms are 10.
    assert ingest(64.0) == pytest.approx(1 / 0.015, rel=0.06)


def test_embedders_add_up_until_the_queue_is_too_short() -> None:
    rates = [ingest(2.0, machines) for machines in (1, 2, 4)]
    assert rates == pytest.approx([rates[0], 2 * rates[0], 4 * rates[0]], rel=0.05)
    assert ingest(2.0, 4, pictures=32) == pytest.approx(ingest(2.0, 1, pictures=32))


def test_every_picture_is_counted_and_the_start_too() -> None:
    one = IngestCosts(NOTHING, Stage(1.0), NOTHING, NOTHING, start_s=5.0)
    machine = Embedders(1, cores=1.0, decode_processes=1)
    assert simulate_ingest(one, 33, machine) == pytest.approx(33 / (33 + 5))


def test_more_shards_are_never_quicker_on_the_same_costs() -> None:
    one = costs(index=Stage(0.01), index_spread=[0.5, 1.0, 3.0])
    found = [
        simulate_searches(one, cores=8, clients=1, seconds=10, shards=Shards(number, 8.0)).percentile(50)
        for number in (1, 3, 9, 27)
    ]
    assert all(few <= many for few, many in pairwise(found))
