import tracemalloc
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from sightline_embedder.duplicates.groups import groups_of


def test_pairs_join_into_groups_the_largest_first() -> None:
    pairs = [("e", "f"), ("a", "b"), ("c", "b"), ("c", "a"), ("d", "c")]

    assert groups_of(pairs) == [["a", "b", "c", "d"], ["e", "f"]]
    assert groups_of([]) == []


def test_what_is_held_of_pairs_are_their_ids_alone() -> None:
    """A list of so many pairs takes 26 MB."""
    pairs = ((f"{number % 300:036}", f"{number % 7:036}") for number in range(100_000))
    tracemalloc.start()
    try:
        groups = groups_of(pairs)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [len(group) for group in groups] == [300]
    assert most < 1 << 20


def test_a_long_chain_is_one_group_from_whichever_end_it_comes() -> None:
    ids = [f"{number:06}" for number in range(20_000)]
    links = list(pairwise(ids))

    assert groups_of(links) == groups_of(reversed(links)) == [ids]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda ends: ends[0] != ends[1])))
def test_a_group_is_all_that_can_be_reached(ends: list[tuple[int, int]]) -> None:
    pairs = [(f"{first:02}", f"{second:02}") for first, second in ends]

    groups = groups_of(pairs)

    # Given sets that are merged for as long as a pair joins two of them
    merged = {frozenset({one}) for pair in pairs for one in pair}
    while joined := next(
        (
            (one, other)
            for one, other in combinations(merged, 2)
            if any(
                {first, second} & one and {first, second} & other and not {first, second} <= one
                for first, second in pairs
            )
        ),
        None,
    ):
        merged = merged - set(joined) | {joined[0] | joined[1]}
    assert {frozenset(group) for group in groups} == merged
    assert [len(group) for group in groups] == sorted(map(len, merged), reverse=True)
