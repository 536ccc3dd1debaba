"""Prefix trees: every prompt is a path, nothing that is shared is there twice, and packs keep to their budget."""

import random
from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from judging.backends.prefixes import LEAST_SHARED, by_length, common_length, packs, tree_of

# Few tokens and pieces that recur, so that prompts share much.
PIECES = st.lists(st.sampled_from([[1] * 9, [1, 2] * 5, [3], [2] * 20, [1], list(range(12))]), min_size=1, max_size=5)
PROMPTS = st.lists(PIECES.map(lambda pieces: list(chain(*pieces))), min_size=1, max_size=12).map(sorted)


def path(tree, leaf: int) -> list[int]:
    ids: list[int] = []
    node: int | None = leaf
    while node is not None:
        assert tree.nodes[node].parent is None or tree.nodes[node].parent < node
        ids = [*tree.nodes[node].ids, *ids]
        node = tree.nodes[node].parent
    return ids


@given(PROMPTS)
def test_every_prompt_is_the_path_to_its_own_leaf(prompts):
    tree = tree_of(prompts)
    assert [path(tree, leaf) for leaf in tree.leaves] == prompts
    assert len(set(tree.leaves)) == len(prompts)
    for node in tree.nodes:
        assert node.ids
        above = 0 if node.parent is None else tree.nodes[node.parent].start + len(tree.nodes[node.parent].ids)
        assert node.start == above


@given(PROMPTS)
def test_no_two_branches_of_a_node_begin_alike(prompts):
    tree = tree_of(prompts)
    for number, node in enumerate(tree.nodes):
        for other in tree.nodes[number + 1 :]:
            if other.parent == node.parent:
                assert common_length([*node.ids, -1], [*other.ids, -2]) < LEAST_SHARED + 1


@given(PROMPTS, st.integers(1, 80))
def test_packs_hold_every_prompt_once_and_keep_to_the_budget(prompts, tokens):
    found = list(packs(prompts, tokens=tokens))
    assert [index for pack in found for index in pack] == list(range(len(prompts)))
    for pack in found:
        own = [prompts[index] for index in pack]
        new = len(own[0]) + sum(len(b) - common_length(a, b) for a, b in pairwise(own))
        assert len(pack) == 1 or new <= tokens
        assert tree_of(own).size <= sum(map(len, own))


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_the_common_beginning_leaves_each_a_token_of_its_own(one, other):
    one, other = [*one, 9], [*other, 9]
    n = common_length(one, other)
    assert one[:n] == other[:n]
    assert n < min(len(one), len(other))
    assert n == min(len(one), len(other)) - 1 or one[n] != other[n]


def test_batches_of_like_length_keep_to_the_budget_and_lose_nothing():
    rng = random.Random(1)
    prompts = [[0] * rng.randint(1, 300) for _ in range(200)]
    found = list(by_length(prompts, tokens=1000))
    assert sorted(index for batch in found for index in batch) == list(range(200))
    assert all(len(batch) * max(len(prompts[index]) for index in batch) <= 1000 for batch in found)
    assert [len(batch) for batch in by_length([[0] * 50], tokens=1)] == [1]
