"""The arithmetic of plans, and `sightline plan` as a user types it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sightline.index.tuning import AUTO_QUANTIZED_POINTS, Tuning
from sightline.settings import Precision, Quantization
from sightline_local.breaking_points import breaking_points
from sightline_local.capacity import GB, SPARE_DISK, USABLE_RAM, Demand, Node, Plan, make_plan
from sightline_local.cost_drivers import Prices, cost_drivers
from sightline_local.errors import PlanError
from sightline_local.figures import Basis
from sightline_local.index_bytes import graph_layout, index_memory, payload_disk, vectors_disk
from sightline_local.item_costs import MEASURED_POINTS
from sightline_local.main import app
from sightline_local.measured_costs import costs_from_bench, costs_of
from sightline_local.towers import SHAPES, Tower

B32 = costs_of("clip-ViT-B-32", Precision.BF16)
AUTO = Tuning()
NODE = Node()

counts = st.integers(min_value=1, max_value=10**9)
quantizations = st.sampled_from(Quantization)
replicas = st.integers(min_value=1, max_value=5)


def of(pictures: int, tuning: Tuning = AUTO, node: Node = NODE, **demand: Any) -> Plan:
    return make_plan(Demand(pictures, **demand), node, B32, tuning)


@given(counts, counts, quantizations)
def test_more_pictures_never_take_less(one: int, other: int, quantization: Quantization) -> None:
    few, many = (of(pictures, Tuning(quantization)) for pictures in sorted((one, other)))
    for name in ("disk_in_all", "thumbnails", "originals", "redis", "ingest_hours", "ram_by_rule"):
        assert getattr(few, name).value <= getattr(many, name).value, name
    if few.quantization is many.quantization:
        assert few.shards.value <= many.shards.value
        assert few.ram_in_all.value <= many.ram_in_all.value * (1 + 1e-9)


@given(
    counts, quantizations, replicas, st.sampled_from([(4, 8.0, 100.0), (16, 64.0, 1000.0), (64, 512.0, 8e3)])
)
def test_nodes_hold_what_is_put_on_them_and_sums_add_up(
    pictures: int, quantization: Quantization, copies: int, size: tuple[int, float, float]
) -> None:
    node, tuning = Node(*size), Tuning(quantization)
    plan = of(pictures, tuning, node, replicas=copies)
    assert plan.nodes.value == plan.shards.value * copies
    assert plan.points_per_shard.value * plan.shards.value >= pictures
    assert plan.ram_per_node.value <= node.ram_gb * GB * USABLE_RAM
    assert plan.disk_per_node.value * SPARE_DISK <= node.disk_gb * GB
    assert plan.ram_in_all.value == plan.ram_per_node.value * plan.nodes.value
    assert plan.disk_in_all.value == plan.disk_per_node.value * plan.nodes.value


@given(counts, quantizations)
def test_there_is_no_shard_too_many(pictures: int, quantization: Quantization) -> None:
    tuning = Tuning(quantization)
    plan = of(pictures, tuning)
    shards = int(plan.shards.value)
    if shards > 1:
        points, layout = -(-pictures // (shards - 1)), graph_layout(pictures, tuning)
        memory = index_memory(points, B32.bytes, layout)
        disk = vectors_disk(points, B32.bytes, layout) + payload_disk(points, B32.bytes)
        assert memory > NODE.ram_gb * GB * USABLE_RAM or disk * SPARE_DISK > NODE.disk_gb * GB


@given(counts)
def test_a_billion_is_extrapolated_and_what_was_seen_is_measured(pictures: int) -> None:
    plan = of(pictures)
    sized = (plan.ram_in_all, plan.disk_in_all, plan.ingest_hours, plan.search_core_hours)
    expected = Basis.MEASURED if pictures <= MEASURED_POINTS else Basis.EXTRAPOLATED
    assert {one.basis for one in sized} == {expected}
    assert plan.ram_by_rule.basis is Basis.DOCUMENTED


def test_the_kind_of_index_follows_from_size_and_copies() -> None:
    assert of(AUTO_QUANTIZED_POINTS).layout == "embedded index"
    assert of(AUTO_QUANTIZED_POINTS + 1).layout == "one Qdrant server"
    assert of(1000, replicas=2).layout == of(10**9).layout == "cluster"


def test_hours_are_work_over_cores() -> None:
    plan = of(10**7)
    per_picture_h = plan.picture.value / 3.6e6
    assert plan.ingest_hours.value == pytest.approx(10**7 * per_picture_h / NODE.cores)
    paced = of(10**7, pictures_per_hour=50_000.0)
    assert paced.ingest_hours.value == pytest.approx(200)
    assert paced.embedder_cores.value == pytest.approx(50_000 * per_picture_h)
    # The same work, however it is spread.
    assert paced.ingest_hours.value * paced.embedder_cores.value == pytest.approx(
        plan.ingest_hours.value * plan.embedder_cores.value
    )


def test_copies_share_the_searches() -> None:
    one, three = of(10**8, queries_per_s=300.0), of(10**8, queries_per_s=300.0, replicas=3)
    assert three.index_cores_per_node.value == pytest.approx(one.index_cores_per_node.value / 3)
    assert three.reads_per_node.value == pytest.approx(one.reads_per_node.value / 3)
    assert three.ram_in_all.value == 3 * one.ram_in_all.value


def test_only_compressed_vectors_are_scored_by_originals_read_beside_them() -> None:
    assert of(10**8, Tuning(Quantization.NONE)).reads_per_node.value == 0
    assert of(10**8).reads_per_node.value > 0


def test_the_pictures_that_were_measured_cost_what_was_measured() -> None:
    for (megapixels, megabytes), per_s in (((0.8, 0.2), 219), ((12.2, 1.0), 87), ((12.2, 3.8), 46)):
        assert B32.decoding(megapixels, megabytes).value == pytest.approx(2 / per_s * 1000)
    # The whole path, in pictures a second on the two cores of docs/benchmarks.md.
    for (megapixels, megabytes), per_s in (((0.8, 0.2), 34.0), ((12.2, 1.0), 26.4), ((12.2, 3.8), 18.9)):
        assert 2000 / B32.picture(megapixels, megabytes).value == pytest.approx(per_s, rel=0.05)


def test_memory_of_half_a_million_is_what_was_measured() -> None:
    """docs/benchmarks.md, growth, where index memory leaves out original vectors on disk."""
    for quantization, mib in (
        (Quantization.NONE, 1198),
        (Quantization.TURBO4, 348),
        (Quantization.INT8, 468),
    ):
        assert of(500_000, Tuning(quantization)).ram_per_node.value / (1 << 20) == pytest.approx(mib, rel=0.1)


def test_larger_towers_take_longer_and_precision_less() -> None:
    assert [
        costs_of("clip-ViT-B-32", one).encode.value for one in (Precision.F32, Precision.BF16, Precision.INT8)
    ] == sorted(
        (costs_of("clip-ViT-B-32", one).encode.value for one in Precision if one is not Precision.AUTO),
        reverse=True,
    )
    sizes = [
        costs_of(name, Precision.BF16)
        for name in ("clip-ViT-B-32", "siglip2-base-patch32-256", "clip-ViT-B-16", "clip-ViT-L-14")
    ]
    assert all(few.encode.value < many.encode.value for few, many in pairwise(sizes))
    assert [one.encode.basis for one in sizes] == [Basis.MEASURED, *[Basis.EXTRAPOLATED] * 3]
    assert sizes[1].bytes.dimension == 768
    assert costs_of("clip-ViT-B-32", Precision.AUTO) == B32


def test_operations_of_vit_b_32_are_those_that_are_published() -> None:
    """4.4 G multiplications with additions, without the patches' projection and the last one."""
    assert Tower(12, 768, 50).operations / 2 == pytest.approx(4.4e9, rel=0.03)
    assert set(SHAPES) >= {"clip-ViT-B-32", "siglip2-base-patch32-256"}


@given(counts)
def test_what_breaks_comes_in_the_order_in_which_it_does(pictures: int) -> None:
    found = breaking_points(Demand(pictures), NODE, B32, AUTO)
    assert [one.pictures for one in found] == sorted(one.pictures for one in found)
    assert len({one.name for one in found}) == len(found) >= 8


def test_the_memory_of_a_node_breaks_where_a_plan_takes_a_second_one() -> None:
    node = Node(disk_gb=1e9)
    at = next(
        one.pictures
        for one in breaking_points(Demand(1), node, B32, AUTO)
        if one.name == "memory of one node"
    )
    assert of(round(at * 0.99), node=node).shards.value == 1
    assert of(round(at * 1.01), node=node).shards.value == 2


def test_drivers_are_quantities_until_prices_are_given() -> None:
    plan = of(10**8)
    assert {one.price for one in cost_drivers(plan, Prices())} == {None}
    priced = cost_drivers(plan, Prices(core_hour=0.5, object_gb_month=0.01))
    assert priced[0].price == pytest.approx(plan.ingest_core_hours.value * 0.5)
    assert priced[-1].price == pytest.approx((plan.thumbnails.value + plan.originals.value) / GB * 0.01)
    assert priced[2].price is None


@pytest.mark.parametrize(
    ("node", "demand", "named"),
    [
        (Node(ram_gb=0.01), Demand(10), "holds no shard"),
        (Node(cores=0), Demand(10), "--cores is 0"),
        (NODE, Demand(10, queries_per_s=-1), "--queries-per-s is -1"),
        (NODE, Demand(10, pictures_per_hour=0.0), "--pictures-per-hour is 0"),
        (NODE, Demand(10, megabytes=float("nan")), "--picture-megabytes is nan"),
    ],
)
def test_what_cannot_be_is_a_sentence(node: Node, demand: Demand, named: str) -> None:
    with pytest.raises(PlanError, match=named):
        make_plan(demand, node, B32, AUTO)


BENCH = {
    "measured": {
        "model": "tiny-clip",
        "numerics": "openvino-f32",
        "cores": 4,
        "rates": {"decode": 100.0, "encode": 40.0, "insert": 8000.0, "together": 28.4},
        "text_ms": 5.0,
        "bytes_per_picture": 2_000_000.0,
        "costs": {
            "dimension": 256,
            "index_empty": 5e7,
            "memory_beside_vector": 3000.0,
            "payload_disk": 900.0,
            "thumbnail_disk": 8192.0,
        },
    }
}


def test_figures_of_a_machine_take_the_place_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(BENCH))
    costs = costs_from_bench(file)
    assert (costs.model, costs.bytes.dimension) == ("tiny-clip", 256)
    assert costs.encode.value == pytest.approx(100)
    # Pictures like the user's were measured, whatever their size.
    assert costs.decoding(1, 1) == costs.decoding(50, 20) == costs.decode
    work = 40 + 100 + 0.5 + costs.beside.value + 2 * costs.beside_megabyte.value
    assert costs.picture(1, 2).value == pytest.approx(work)
    assert costs.megabytes == 2.0
    assert ran("1000", "--measured", str(file), "--json").exit_code == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"measured": {"cores": 2}}', '{"measured": []}'])
def test_a_file_that_is_no_bench_is_refused_with_a_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(content)
    with pytest.raises(PlanError, match="is not what `sightline bench --json` writes"):
        costs_from_bench(file)
    with pytest.raises(PlanError, match="cannot be read"):
        costs_from_bench(tmp_path / "missing.json")


def ran(*words: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["plan", *words])


def test_the_command_prints_a_plan_and_the_same_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGHTLINE_QUANTIZATION", raising=False)
    words = ["100000000", "--ram", "32", "--replicas", "2", "--price-ram", "3"]
    printed, found = ran(*words), json.loads(ran(*words, "--json").stdout)
    plan = of(10**8, node=Node(ram_gb=32.0), replicas=2)
    assert found["figures"]["nodes"] == {"value": plan.nodes.value, "unit": "nodes", "basis": "extrapolated"}
    assert found["quantization"] == "turbo4"
    assert found["figures"]["ram_in_all"]["value"] == plan.ram_in_all.value
    assert set(found["items"]) >= {"encode", "text", "search_turbo4", "bytes"}
    assert [one["price"] is not None for one in found["cost_drivers"]] == [False, False, True, False, False]
    for said in ("extrapolated", "measured", "documented", "what breaks", "nodes of the index", "price"):
        assert said in printed.stdout
    assert any(one["reached"] for one in found["breaks"])
    assert not all(one["reached"] for one in found["breaks"])


def test_options_that_contradict_each_other_and_models_unknown_are_sentences(tmp_path: Path) -> None:
    for words, named in (
        (["10", "--measured", "x.json", "--model", "clip-ViT-B-32"], "leave --model and --precision out"),
        (["10", "--model", "resnet"], "--measured bench.json"),
    ):
        error = ran(*words).exception
        assert isinstance(error, PlanError)
        assert named in str(error)
