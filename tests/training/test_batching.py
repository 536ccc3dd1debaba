"""Steps and their pieces: every sample once, in the same steps however they are cut, and little padding."""

from hypothesis import given, settings
from hypothesis import strategies as st

from training.script.batching import batches_of, cut, padding_share

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=60)


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 5))
def test_an_epoch_holds_every_sample_once_and_another_epoch_has_another_order(count, size, epoch):
    steps = batches_of(count, epoch=epoch, seed=7, size=size)
    assert sorted(index for step in steps for index in step) == list(range(count))
    assert {len(step) for step in steps[:-1]} <= {size}
    assert steps == batches_of(count, epoch=epoch, seed=7, size=size)
    if count > 20:
        assert steps != batches_of(count, epoch=epoch + 1, seed=7, size=size)


@settings(max_examples=60)
@given(LENGTHS, st.integers(1, 4), st.integers(50, 2000), st.booleans())
def test_pieces_hold_all_samples_and_fit(lengths, world, tokens, packed):
    batch = list(range(len(lengths)))
    rounds = cut(batch, lengths, world=world, tokens=tokens, packed=packed)
    assert all(len(pieces) == world for pieces in rounds)
    assert sorted(index for pieces in rounds for piece in pieces for index in piece) == batch
    for pieces in rounds:
        for piece in pieces:
            size = (
                sum(lengths[i] for i in piece) if packed else len(piece) * max([lengths[i] for i in piece], default=0)
            )
            # Where there are more processes and rounds than samples, each is alone.
            assert size <= tokens or len(piece) == 1 or len(rounds) * world >= len(lengths)


def test_alike_lengths_share_a_padded_piece():
    lengths = [100, 10, 101, 11, 99, 9, 98, 12] * 4
    rounds = cut(list(range(32)), lengths, world=1, tokens=900, packed=False)
    assert padding_share(rounds, lengths) < 0.15
    whole = [[list(range(32))]]
    assert padding_share(whole, lengths) > 0.4
