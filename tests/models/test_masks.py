"""Masks: tubes, and each frame by itself."""
import pytest
import torch

from mmbt.models import RandomMask, TubeMask, gather_visible


@pytest.mark.parametrize('ratio, patches, kept', [(0.7, 256, 77), (0.7, 196, 59), (0.5, 9, 5),
                                                  (0.0, 9, 9), (0.99, 16, 1), (0.3, 16, 11),
                                                  (0.9, 16, 2), (0.29, 100, 71), (0.7, 1, 1)])
def test_number_of_visible_positions(ratio, patches, kept):
    """N - round(ratio N): 256 - 179.2, 196 - 137.2, 9 - 4.5 (to the even 4), 16 - 15.84, which
    would leave none, 16 - 4.8, 16 - 14.4, 100 - 29 (28.999... in floating point), 1 - 0.7.
    """
    visible = TubeMask(ratio)(3, 8, patches, torch.device('cpu'))
    assert visible.shape == (3, kept) and visible.dtype == torch.int64


def test_positions_are_sorted_distinct_and_uniform():
    torch.manual_seed(0)
    visible = TubeMask(0.7)(4000, 8, 10, torch.device('cpu'))
    assert (visible.diff(dim=1) > 0).all() and visible.min() == 0 and visible.max() == 9
    share = visible.flatten().bincount(minlength=10) / 4000
    assert (share - 0.3).abs().max() < 0.03
    assert len({tuple(row) for row in visible[:50].tolist()}) > 30


def test_a_random_mask_draws_each_frame_by_itself():
    torch.manual_seed(0)
    visible = RandomMask(0.7)(500, 8, 10, torch.device('cpu'))
    assert visible.shape == (500, 8, 3) and visible.dtype == torch.int64
    assert (visible.diff(dim=2) > 0).all()
    share = visible.flatten().bincount(minlength=10) / 4000
    assert (share - 0.3).abs().max() < 0.03
    # Two frames show the same three of ten positions once in 120 times.
    same = (visible[:, 0] == visible[:, 1]).all(dim=1).float().mean()
    assert same < 0.03


@pytest.mark.parametrize('mask', [TubeMask, RandomMask])
@pytest.mark.parametrize('ratio', [-0.1, 1, 1.5])
def test_ratio_outside_the_unit_interval_is_refused(mask, ratio):
    with pytest.raises(ValueError, match=r'\[0, 1\)'):
        mask(ratio)


def test_gather_takes_the_same_positions_of_every_frame():
    tokens = torch.arange(2 * 3 * 4 * 1).view(2, 3, 4, 1)
    visible = torch.tensor([[0, 2], [1, 3]])
    expected = torch.tensor([[[0, 2], [4, 6], [8, 10]], [[13, 15], [17, 19], [21, 23]]])
    assert torch.equal(gather_visible(tokens, visible)[..., 0], expected)
    shared = gather_visible(tokens[:1, :1], visible)
    assert torch.equal(shared[..., 0], torch.tensor([[[0, 2]], [[1, 3]]]))


def test_gather_takes_the_positions_of_each_frame():
    tokens = torch.arange(3 * 4).view(1, 3, 4, 1)
    visible = torch.tensor([[[0, 2], [1, 3], [2, 3]]])
    expected = torch.tensor([[[0, 2], [5, 7], [10, 11]]])
    assert torch.equal(gather_visible(tokens, visible)[..., 0], expected)
    shared = gather_visible(tokens[:, :1], visible)
    assert torch.equal(shared[..., 0], visible)
