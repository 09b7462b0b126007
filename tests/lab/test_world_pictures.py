"""The moving-shapes world's pictures: clips move as their captions say, stills show their cues."""
import numpy as np
import pytest

from mmbt.lab.world.cues import render_still
from mmbt.lab.world.motions import Pose, sample_trajectory
from mmbt.lab.world.render import Canvas, outline_of, render_clip
from mmbt.lab.world.scenes import MOTIONS, Scene


def clip(motion, scene=None, seed=0):
    """Render a clip, (17, 64, 64, 3) float."""
    scene = scene or Scene('red', 'triangle', 'dark')
    label = MOTIONS.index(motion)
    return render_clip(scene, label, 64, np.random.default_rng(seed)).astype(float)


def saturation(picture):
    """How colourful each pixel is: 0 on the grey backgrounds and the white ball."""
    return picture.max(-1) - picture.min(-1)


def centroid(weight):
    """Centre (x, y) of a map in pixels."""
    y, x = np.indices(weight.shape)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


# --- what the videos show -------------------------------------------------------------------


def test_outline_is_placed_scaled_and_turned_clockwise():
    # The triangle's tip is its farthest point: above the centre when upright, right after 90.
    upright = outline_of('triangle', Pose(0.5, 0.4, 0.2))
    np.testing.assert_allclose(upright[0], (0.5, 0.2), atol=1e-12)
    turned = outline_of('triangle', Pose(0.5, 0.4, 0.2, angle=90))
    np.testing.assert_allclose(turned[0], (0.7, 0.4), atol=1e-12)


def test_polygon_covers_the_pixels_that_its_pose_says():
    canvas = Canvas(64, 'light', np.random.default_rng(0))
    empty = canvas.finish().astype(float)
    canvas.polygon(outline_of('triangle', Pose(0.25, 0.625, 0.25)), (0, 0, 0), outline=None)
    coverage = (1 - canvas.finish() / empty)[..., 0]
    # Centre 0.25 * 64 = 16 is the edge between pixels 15 and 16; likewise 40 for 39 and 40.
    np.testing.assert_allclose(centroid(coverage), (15.5, 39.5), atol=0.2)
    # Base 1.5 and height 1.8 where the tip is at 1.2, which is 16 px here: 1.35 * (16 / 1.2)^2.
    assert coverage.sum() == pytest.approx(240, rel=0.05)


@pytest.mark.parametrize('motion, axis, sign', [('moves left', 0, -1), ('moves right', 0, 1),
                                                ('moves up', 1, -1), ('moves down', 1, 1)])
@pytest.mark.parametrize('seed', [0, 1])
def test_moves_go_the_way_they_say_at_a_steady_pace(motion, axis, sign, seed):
    centres = np.array([centroid(saturation(frame)) for frame in clip(motion, seed=seed)])
    steps = np.diff(centres, axis=0)
    # 0.32 to 0.55 of 64 px in 16 steps: 1.28 to 2.2 px each.
    assert (sign * steps[:, axis]).min() > 1.1 and (sign * steps[:, axis]).max() < 2.4
    assert np.abs(steps[:, 1 - axis]).max() < 0.1


def test_grows_and_shrinks_change_the_area_monotonically():
    for motion, sign in (('grows', 1), ('shrinks', -1)):
        area = (saturation(clip(motion)) > 60).sum((1, 2))
        assert (sign * np.diff(area) > 0).all()
        # Radius at least 0.22 against at most 0.12; the outline eats more of the small one.
        assert max(area[0], area[-1]) > (0.22 / 0.12)**2 * min(area[0], area[-1])


@pytest.mark.parametrize('motion, sign', [('turns clockwise', 1), ('turns counterclockwise', -1)])
def test_turns_rotate_the_long_axis_the_way_they_say(motion, sign):
    angles = []
    for frame in clip(motion):
        weight = saturation(frame)
        cx, cy = centroid(weight)
        y, x = np.indices(weight.shape)
        xx, yy, xy = ((weight * p).sum() for p in ((x - cx)**2, (y - cy)**2, (x - cx) * (y - cy)))
        # y points down, so a growing angle from the x axis is clockwise.
        angles.append(np.degrees(np.arctan2(2 * xy, xx - yy)) / 2)
    steps = sign * ((np.diff(angles) + 90) % 180 - 90)
    assert steps.min() > 4 and steps.max() < 15
    assert 7 <= steps.mean() <= 12


def test_appears_starts_without_the_shape_and_ends_with_all_of_it():
    colour = saturation(clip('appears')).sum((1, 2))
    assert colour[0] == 0 and (np.diff(colour) >= 0).all()
    assert colour[-1] == colour[-2] > 10_000
    gone = saturation(clip('disappears')).sum((1, 2))
    assert gone[-1] == 0 and gone[0] == colour[-1]


@pytest.mark.parametrize('side, sign', [('left', -1), ('right', 1)])
def test_crossing_shape_and_ball_swap_sides(side, sign):
    frames = clip(f'crosses a white ball to the {side}')
    shape = np.array([centroid(saturation(frame))[0] for frame in frames])
    ball = np.array([centroid((frame.min(-1) > 200) * 1.0)[0] for frame in frames])
    # Opaque in front of each other, they hide parts: steps jitter, the ends do not.
    assert sign * (shape[-1] - shape[0]) > 0.4 * 64 and sign * (ball[0] - ball[-1]) > 0.4 * 64
    assert sign * (ball - shape)[0] > 0 > sign * (ball - shape)[-1]


@pytest.mark.parametrize('label', range(12))
def test_opposite_motion_is_the_same_clip_backwards(label):
    scene = Scene('pink', 'moon', 'striped')
    forth = render_clip(scene, label, 32, np.random.default_rng(7))
    back = render_clip(scene, label ^ 1, 32, np.random.default_rng(7))
    np.testing.assert_array_equal(forth[::-1], back)
    assert (forth != back).any()


@pytest.mark.parametrize('label', range(12))
def test_shape_stays_inside_the_picture(label):
    """Shapes that cross the ball may stick out by 3% of the side at the ends of their way."""
    slack = 0.03 if MOTIONS[label].startswith('crosses') else 1e-9
    rng = np.random.default_rng(label)
    for _ in range(50):
        for frame in sample_trajectory(label, rng):
            for pose in filter(None, (frame.shape, frame.ball)):
                assert pose.radius - slack <= pose.x <= 1 - pose.radius + slack
                assert pose.radius - slack <= pose.y <= 1 - pose.radius + slack


# --- what the stills show -------------------------------------------------------------------


@pytest.mark.parametrize('word, axis, sign', [('left', 0, 1), ('right', 0, -1), ('up', 1, 1),
                                              ('down', 1, -1)])
def test_still_movers_trail_lies_behind(word, axis, sign):
    for seed in range(3):
        colour = saturation(render_still(Scene('red', 'heart', 'dark'), f'moves {word}', 64,
                                         np.random.default_rng(seed)).astype(float))
        solid = centroid((colour > 180) * 1.0)
        ghost = centroid(np.where(colour > 110, 0, colour))
        assert sign * (ghost - solid)[axis] > 6


def test_still_turners_arrow_points_the_way_they_turn():
    for word, sign in (('clockwise', 1), ('counterclockwise', -1)):
        picture = render_still(Scene('red', 'star', 'dark'), f'turns {word}', 64,
                               np.random.default_rng(0)).astype(float)
        # The arrow passes above the shape and is heaviest at its head.
        arrow = centroid((picture.min(-1) > 200) * 1.0) - centroid(saturation(picture))
        assert sign * arrow[0] > 2 and arrow[1] < -5


def test_still_sizes_are_outlined_outside_in_colour_or_inside_in_white():
    scene = Scene('red', 'heart', 'dark')
    white = {motion: (render_still(scene, motion, 64, np.random.default_rng(0)).min(-1) > 150).sum()
             for motion in ('grows', 'shrinks', None)}
    assert white['grows'] == white[None] == 0 and white['shrinks'] > 20


def test_still_rejects_an_unknown_motion():
    with pytest.raises(ValueError, match='jumps'):
        render_still(Scene('red', 'heart', 'dark'), 'jumps', 64, np.random.default_rng(0))
