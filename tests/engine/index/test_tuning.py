"""What the settings make of a collection: quantization, what stays in memory, when HNSW is built again."""

import pytest

from sightline.index.tuning import AUTO_QUANTIZED_POINTS, Tuning, VectorLayout, tuning_of
from sightline.settings import Quantization, Settings

NONE, INT8, TURBO4 = Quantization.NONE, Quantization.INT8, Quantization.TURBO4


def test_the_settings_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_QUANTIZATION", "int8")
    monkeypatch.setenv("SIGHTLINE_VECTORS_ON_DISK", "false")
    monkeypatch.setenv("SIGHTLINE_INDEX_REBUILD_POINTS", "7")
    monkeypatch.setenv("SIGHTLINE_INDEX_FULL_SCAN_KB", "5")
    assert tuning_of(Settings()) == Tuning(INT8, vectors_on_disk=False, rebuild_points=7, full_scan_kb=5)
    monkeypatch.undo()
    assert tuning_of(Settings()) == Tuning()


@pytest.mark.parametrize(
    ("quantization", "on_disk", "layout"),
    [
        (NONE, None, VectorLayout(NONE, on_disk=False)),
        (NONE, True, VectorLayout(NONE, on_disk=True)),
        (INT8, None, VectorLayout(INT8, on_disk=True)),
        (TURBO4, False, VectorLayout(TURBO4, on_disk=False)),
    ],
)
def test_what_is_set_is_done(quantization: Quantization, on_disk: bool | None, layout: VectorLayout) -> None:
    tuning = Tuning(quantization, on_disk)
    assert tuning.layout(0) == layout
    assert tuning.layout(10**7, VectorLayout(TURBO4, on_disk=on_disk or False)).quantization is quantization


@pytest.mark.parametrize(
    ("points", "held", "layout"),
    [
        (AUTO_QUANTIZED_POINTS - 1, None, VectorLayout()),
        (AUTO_QUANTIZED_POINTS, VectorLayout(), VectorLayout(TURBO4, on_disk=True)),
        (10, VectorLayout(TURBO4, on_disk=True), VectorLayout(TURBO4, on_disk=True)),
        (10**7, VectorLayout(INT8), VectorLayout(INT8)),
        (10, VectorLayout(NONE, on_disk=True), VectorLayout(NONE, on_disk=True)),
    ],
)
def test_auto_compresses_what_is_large_and_undoes_nothing(
    points: int, held: VectorLayout | None, layout: VectorLayout
) -> None:
    assert Tuning().layout(points, held) == layout


@pytest.mark.parametrize(
    ("points", "indexed", "due"),
    [
        (19_999, 0, False),
        (20_000, 0, True),
        (60_000, 50_000, False),
        (70_000, 50_000, True),
        (590_000, 500_000, False),
        (600_000, 500_000, True),
        (10, 500_000, False),
    ],
)
def test_hnsw_is_built_when_a_fifth_is_outside(points: int, indexed: int, due: bool) -> None:
    assert Tuning().rebuild_due(points, indexed) is due
