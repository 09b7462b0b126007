"""What parts of a clip add to a cosine: sums, slow loops, planted answers, permutations."""
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.nn.functional import cosine_similarity, normalize

from mmbt.search.explain.attribution import (
    TOLERANCE,
    Scorer,
    by_patches,
    integrated_gradients,
    occlusion,
)

from ..support.tiny_backbones import BACKBONES, stirred

PATCH, GRID = (4, 4), (3, 3)


def clip(frames=3, seed=3):
    """(1, T, 3, 12, 12) normalised frames for the tiny trunk."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, frames, 3, 12, 12, generator=generator, dtype=torch.float64)


def a_text(seed=5):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(12, generator=generator, dtype=torch.float64), dim=0)


@pytest.fixture(scope='module')
def branch():
    """A model with a branch, all of whose weights are random; the text; and the cosines."""
    model = stirred('BTAdapter').eval()
    return Scorer(model, a_text())


@torch.no_grad()
def video_of(model, imgs, name):
    if name == 'branch':
        return model.encode_video(imgs)
    trunk = model.trunk
    return trunk.frame_mean(trunk.hidden_states(imgs, [trunk.num_layers])[0].cls)


@pytest.mark.parametrize('name', BACKBONES)
def test_the_parts_of_every_backbone_sum_to_its_score(name):
    model, imgs = stirred(name).eval(), clip()
    which = 'trunk' if name in ('FrameMean', 'STPooling') else 'branch'
    seen, unseen = (video_of(model, part, which)[0] for part in (imgs, torch.zeros_like(imgs)))
    text = normalize(normalize(seen, dim=0) - normalize(unseen, dim=0), dim=0)
    scorer = Scorer(model, text)
    assert scorer.names == (('trunk',) if name in ('FrameMean', 'STPooling')
                            else ('branch', 'trunk'))
    pixels = integrated_gradients(scorer, imgs, 32, batch_size=32)
    for row, which in enumerate(scorer.names):
        score, grey = (cosine_similarity(video_of(model, part, which)[0], text, dim=0)
                       for part in (imgs, torch.zeros_like(imgs)))
        assert row or abs(float(score - grey)) > 0.01
        assert float(pixels[row].sum()) == pytest.approx(float(score - grey), abs=TOLERANCE)
    assert not any(weight.grad is not None for weight in model.parameters())


def test_gradients_are_those_of_many_small_steps(branch):
    """A Riemann sum along the same way, by differences of the score itself."""
    imgs = clip()
    quick = integrated_gradients(branch, imgs, 32, batch_size=32)
    slow, steps, step = torch.zeros(2, dtype=torch.float64), 200, 1e-4
    moved = torch.zeros_like(imgs)
    moved[0, 1, :, 5, 7] = imgs[0, 1, :, 5, 7]
    with torch.no_grad():
        for first in range(0, steps, 100):
            share = ((torch.arange(first, first + 100) + 0.5) / steps).double()[:, None, None, None,
                                                                                None]
            points = share * imgs
            slow += (branch(points + step * moved) - branch(points - step * moved)).sum(1) \
                / (2 * step * steps)
    torch.testing.assert_close(quick[:, 1, 5, 7], slow, rtol=1e-3, atol=1e-7)


def test_occlusion_is_a_loop_over_parts(branch):
    imgs = clip()
    frames, patches = occlusion(branch, imgs, PATCH, GRID, batch_size=7)
    for row, which in enumerate(branch.names):
        def lost(rows, columns, frame, which=which):
            other = imgs.clone()
            other[0, frame, :, rows, columns] = 0
            whole, less = (cosine_similarity(video_of(branch.model, part, which)[0], a_text(),
                                             dim=0) for part in (imgs, other))
            return float(whole - less)
        for frame in range(3):
            assert float(frames[row, frame]) == pytest.approx(lost(slice(12), slice(12), frame),
                                                              abs=1e-12)
            for place in range(9):
                down, across = 4 * (place // 3), 4 * (place % 3)
                assert float(patches[row, frame, place // 3, place % 3]) == pytest.approx(
                    lost(slice(down, down + 4), slice(across, across + 4), frame), abs=1e-12)


def test_a_frame_of_the_mean_is_left_out_by_arithmetic(branch):
    """The mean of the frames' embeddings is linear in them; its length is not."""
    imgs, trunk = clip(4), branch.model.trunk
    with torch.no_grad():
        each = trunk.proj(trunk.norm(trunk.hidden_states(imgs, [4])[0].cls))[0]
        grey = trunk.proj(trunk.norm(trunk.hidden_states(0 * imgs[:, :1], [4])[0].cls))[0, 0]
    frames, _ = occlusion(branch, imgs, PATCH, GRID)
    for place in range(4):
        changed = each.clone()
        changed[place] = grey
        expected = (cosine_similarity(each.mean(0), a_text(), dim=0)
                    - cosine_similarity(changed.mean(0), a_text(), dim=0))
        assert float(frames[1, place]) == pytest.approx(float(expected), abs=1e-12)


def test_gradients_rank_parts_as_trying_them_out_does(branch):
    """Of small parts, whose interactions are small; on four clips, and no one reversed."""
    found = {'branch': [], 'trunk': []}
    for seed in range(4):
        imgs = clip(3, seed) * 0.5
        quick = by_patches(integrated_gradients(branch, imgs, 16, batch_size=16), PATCH, GRID)
        _, slow = occlusion(branch, imgs, PATCH, GRID, batch_size=30)
        for row, name in enumerate(branch.names):
            found[name].append(spearmanr(quick[row].flatten(), slow[row].flatten())[0])
    assert all(np.mean(ranks) > 0.6 and min(ranks) > 0.3 for ranks in found.values())


@pytest.mark.parametrize('which', ['branch', 'trunk'])
def test_the_part_that_answers_the_query_stands_out(branch, which):
    """Red stripes in one place and green ones in another; two texts that each mean one of them."""
    model, places = branch.model, dict(red=(1, 2, 0), green=(0, 0, 1))
    parts = {}
    for color, (frame, row, column) in places.items():
        part = torch.zeros(1, 3, 3, 12, 12, dtype=torch.float64)
        stripes = part[0, frame, 0 if color == 'red' else 1]
        stripes[4 * row:4 * row + 4:2, 4 * column:4 * column + 4] = 2
        parts[color] = part
    whole = parts['red'] + parts['green']
    red, green = (normalize(video_of(model, parts[color], which)[0], dim=0)
                  for color in ('red', 'green'))
    for color, text in (('red', red - green), ('green', green - red)):
        scorer = Scorer(model, text)
        pixels = integrated_gradients(scorer, whole, 16, batch_size=16)[scorer.names.index(which)]
        maps = by_patches(pixels, PATCH, GRID)
        assert tuple(np.unravel_index(int(maps.argmax()), maps.shape)) == places[color]
        assert int(maps.sum((1, 2)).argmax()) == places[color][0]
        other = places['green' if color == 'red' else 'red']
        assert maps[places[color]] > 0 > maps[other]


def test_the_mean_s_parts_move_with_its_frames_and_the_branch_s_do_not(branch):
    imgs, order = clip(4), [2, 0, 3, 1]
    there, moved = (integrated_gradients(branch, part, 16, batch_size=16)
                    for part in (imgs, imgs[:, order]))
    torch.testing.assert_close(moved[1], there[1][order], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(moved[0], there[0][order], rtol=1e-2)


def test_what_the_text_is_scaled_by_does_not_matter(branch):
    imgs = clip()
    other = Scorer(branch.model, 7 * a_text())
    torch.testing.assert_close(integrated_gradients(other, imgs, 8, batch_size=3),
                               integrated_gradients(branch, imgs, 8, batch_size=1))


def test_patches_sum_pixels_and_leave_out_the_rest():
    pixels = torch.arange(2 * 7 * 9, dtype=torch.float64).reshape(2, 7, 9)
    summed = by_patches(pixels, (3, 4), (2, 2))
    assert summed.shape == (2, 2, 2)
    for row in range(2):
        for column in range(2):
            expected = pixels[:, 3 * row:3 * row + 3, 4 * column:4 * column + 4].sum((1, 2))
            torch.testing.assert_close(summed[:, row, column], expected)


def test_a_frozen_trunk_keeps_nothing_for_frames_that_ask_for_no_gradient(branch):
    trunk, imgs = branch.model.trunk, clip()
    assert not trunk.hidden_states(imgs, [4])[0].cls.requires_grad
    assert trunk.hidden_states(imgs.requires_grad_(), [4])[0].cls.requires_grad
    assert not any(weight.requires_grad for weight in trunk.parameters())
