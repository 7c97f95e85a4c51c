import pytest
from bench.clustered_points import BLOCK, growing, points_of
from bench.index_growth import bytes_per_vector


def test_every_size_is_reached_with_points_that_do_not_depend_on_the_others() -> None:
    steps = list(growing([1_000, 6_000]))

    assert [end for end, _ in steps] == [1_000, BLOCK, 6_000]
    assert [len(points) for _, points in steps] == [1_000, BLOCK - 1_000, 6_000 - BLOCK]
    ids = [point.id for _, points in steps for point in points]
    assert ids == [point.id for block in (0, 1) for point in points_of(block)][:6_000]


def test_bytes_per_vector_leave_out_what_an_empty_process_takes() -> None:
    mib = 1 << 20
    rows = [
        {"layout": "none", "points": points, "pss_mib": 100 + points * 2_048 / mib, "index_mib": 100.0}
        for points in (10_000, 500_000, 1_000)
    ]

    assert bytes_per_vector(rows) == {"none": {"pss": pytest.approx(2_048, abs=0.1), "index": 0.0}}


def test_one_size_says_nothing_about_bytes_per_vector() -> None:
    assert bytes_per_vector([{"layout": "none", "points": 10, "pss_mib": 1.0, "index_mib": 1.0}]) == {}
