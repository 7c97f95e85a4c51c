"""The arithmetic of a forecast."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.index.tuning import AUTO_QUANTIZED_POINTS, Tuning
from sightline.settings import Quantization
from sightline_local.forecast import Forecast, StageRates, forecast
from sightline_local.index_bytes import PictureCosts, code_bytes

RATES = StageRates(decode=80.0, encode=120.0, insert=5000.0)
COSTS = PictureCosts(
    dimension=512,
    index_empty=40e6,
    memory_beside_vector=3700.0,
    payload_disk=1000.0,
    thumbnail_disk=14_000.0,
)
AUTO = Tuning()

counts = st.integers(min_value=1, max_value=10**8)
per_second = st.floats(min_value=0.01, max_value=1e6)


def of(pictures: int, tuning: Tuning = AUTO) -> Forecast:
    return forecast(pictures, RATES, COSTS, tuning)


@given(per_second, per_second, per_second)
def test_stages_together_are_slower_than_each_and_no_slower_than_one_after_the_other(
    decode: float, encode: float, insert: float
) -> None:
    together = StageRates(decode, encode, insert).together
    assert together < min(decode, encode, insert)
    assert 1 / together == pytest.approx(1 / decode + 1 / encode + 1 / insert)


@given(counts, per_second, per_second)
def test_hours_are_pictures_divided_by_the_rate(pictures: int, decode: float, encode: float) -> None:
    rates = StageRates(decode, encode, 5000.0)
    hours = forecast(pictures, rates, COSTS, AUTO).hours
    assert hours * 3600 * rates.together == pytest.approx(pictures)


@given(counts, counts, st.sampled_from(Quantization))
def test_more_pictures_take_more(one: int, other: int, quantization: Quantization) -> None:
    few, many = (of(pictures, Tuning(quantization)) for pictures in sorted((one, other)))
    assert few.hours <= many.hours
    assert few.disk <= many.disk
    assert few.vectors_disk <= many.vectors_disk
    assert few.peak_memory <= many.peak_memory
    assert few.memory <= few.peak_memory
    if few.quantization is many.quantization:
        assert few.memory <= many.memory


def test_auto_compresses_from_a_million_and_says_what_it_took_until_then() -> None:
    before, after = of(AUTO_QUANTIZED_POINTS - 1), of(AUTO_QUANTIZED_POINTS)
    assert (before.quantization, after.quantization) == (Quantization.NONE, Quantization.TURBO4)
    assert after.memory < before.memory == after.peak_memory
    assert of(AUTO_QUANTIZED_POINTS, Tuning(Quantization.NONE)).peak_memory > before.memory


@pytest.mark.parametrize(
    ("quantization", "codes", "vector"),
    [(Quantization.NONE, 0, 2048), (Quantization.INT8, 512, 0), (Quantization.TURBO4, 256, 0)],
)
def test_memory_of_a_point_in_the_graph(quantization: Quantization, codes: int, vector: int) -> None:
    tuning = Tuning(quantization)
    more = of(200_000, tuning).memory - of(100_000, tuning).memory
    # The vector or its codes; 32 links of 4 bytes; the id.
    assert more == 100_000 * (vector + codes + 128 + 40)
    disk = of(200_000, tuning).vectors_disk - of(100_000, tuning).vectors_disk
    assert disk == 100_000 * (2048 + codes + 128)


def test_vectors_stay_in_memory_or_out_of_it_as_the_settings_say() -> None:
    turbo4 = Tuning(Quantization.TURBO4)
    kept = of(100_000, replace(turbo4, vectors_on_disk=False)).memory - of(100_000, turbo4).memory
    assert kept == 100_000 * 2048
    plain = Tuning(Quantization.NONE)
    assert of(100_000, plain).memory - of(100_000, replace(plain, vectors_on_disk=True)).memory == kept


def test_without_a_graph_nothing_is_compressed_and_a_point_takes_what_was_measured() -> None:
    turbo4 = Tuning(Quantization.TURBO4, rebuild_points=20_000)
    few = of(19_999, turbo4)
    assert few.quantization is Quantization.NONE
    assert few.memory == round(40e6 + 19_999 * (2048 + 3700))
    assert few.vectors_disk == 19_999 * 2048
    assert of(20_000, turbo4).quantization is Quantization.TURBO4


def test_thumbnails_and_payloads_grow_as_they_were_measured() -> None:
    few, many = of(10_000), of(30_000)
    assert many.thumbnails_disk - few.thumbnails_disk == 20_000 * 14_000
    assert many.payload_disk - few.payload_disk == 20_000 * 1000
    assert few.disk == few.vectors_disk + few.payload_disk + few.thumbnails_disk


def test_codes_of_an_odd_dimension_fill_their_last_byte() -> None:
    assert code_bytes(Quantization.TURBO4, 385) == 193
