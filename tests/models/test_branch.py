"""How the branch starts, what it sees, and what it does with a mask."""
import pytest
import torch

from mmbt.models import BTAdapter, OpenCLIPTrunk, RandomMask
from mmbt.models.branch import SpatialBlock, TemporalBlock
from mmbt.models.states import FrameTokens

from ..support.tiny import CLIPS, FRAMES, PATCHES, TINY, build_model, stir


def test_zero_initialised_temporal_projection_is_the_identity():
    block = TemporalBlock(16, 2)
    tokens = torch.randn(2, FRAMES, PATCHES, 16)
    assert torch.equal(block(tokens), tokens)
    assert not torch.equal(TemporalBlock(16, 2, temporal_proj='random')(tokens), tokens)
    assert not torch.equal(TemporalBlock(16, 2, temporal_proj='none')(tokens), tokens)


def test_spatial_blocks_start_as_copies_of_the_last_layers_of_clip():
    """One frame: the video's CLS is a frame's CLS, so a block must be the CLIP layer itself."""
    torch.manual_seed(0)
    trunk = OpenCLIPTrunk(TINY).double()
    adapter = BTAdapter(trunk, num_layers=3, num_frames=1).double()
    tokens = torch.randn(2, 1 + PATCHES, 16, dtype=torch.float64)
    for i, block in enumerate(adapter.branch.spatial):
        cls, patches = block(tokens[:, 0], tokens[:, None, 1:])
        expected = trunk.block(trunk.num_layers - 3 + i, tokens)
        torch.testing.assert_close(cls, expected[:, 0])
        torch.testing.assert_close(patches[:, 0], expected[:, 1:])


def test_gates_start_at_one_half():
    branch = build_model().backbone.branch
    ours, theirs = torch.tensor([2.0] * 16), torch.tensor([4.0] * 16)
    for gate in [*branch.gates, branch.output_gate]:
        assert torch.equal(gate(ours, theirs), torch.full((16, ), 3.0))


class Spy(torch.nn.Module):
    """Stands in for an attention: hands its input on and remembers it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, tokens, rotary=None):
        self.seen.append(tokens)
        return torch.zeros_like(tokens)


def tokens_that_carry_their_place():
    """(B, T, N, D) whose first two channels are the frame and the patch position."""
    tokens = torch.zeros(CLIPS, FRAMES, PATCHES, 16)
    tokens[..., 0] = torch.arange(FRAMES)[None, :, None]
    tokens[..., 1] = torch.arange(PATCHES)[None, None]
    return tokens


def test_a_tube_holds_one_position_and_a_spatial_group_one_frame():
    temporal, spatial = TemporalBlock(16, 2), SpatialBlock(16, 2, 32)
    for block in (temporal, spatial):
        block.attn = Spy()
    temporal.norm, spatial.norm1 = torch.nn.Identity(), torch.nn.Identity()
    tokens = tokens_that_carry_their_place()
    temporal(tokens)
    tubes = temporal.attn.seen[0]
    assert tubes.shape == (CLIPS, PATCHES, FRAMES, 16)
    for j in range(PATCHES):
        assert (tubes[:, j, :, 1] == j).all()
        assert torch.equal(tubes[0, j, :, 0], torch.arange(FRAMES).float())
    spatial(torch.full((CLIPS, 16), -1.0), tokens)
    groups = spatial.attn.seen[0]
    assert groups.shape == (CLIPS, FRAMES, 1 + PATCHES, 16)
    assert (groups[:, :, 0] == -1).all()
    for i in range(FRAMES):
        assert (groups[:, i, 1:, 0] == i).all()
        assert torch.equal(groups[0, i, 1:, 1], torch.arange(PATCHES).float())


def test_every_aligned_pair_is_the_same_token():
    """With hidden states that carry their place, both sides of MBTA are of the same place."""
    model = build_model(mask=0.5)
    place = tokens_that_carry_their_place().double()
    frames = torch.cat([torch.zeros_like(place[:, :, :1]), place], dim=2).flatten(0, 1)
    model.trunk.embed = lambda images: frames
    model.trunk.block = lambda index, tokens: tokens
    branch = model.backbone.branch
    for block in branch.spatial:  # a branch that does nothing but pass tokens on
        block.forward = lambda c, t: (c, t)
    branch.time_embedding.data.zero_()
    model.trunk.visual.position_embedding.data.zero_()
    visible = model.mask(CLIPS, FRAMES, PATCHES, torch.device('cpu'))
    encoding = model.backbone(torch.zeros(CLIPS, FRAMES, 3, 12, 12).double(), visible)
    assert encoding.clip_tokens.shape == (CLIPS, FRAMES, 5, 16)
    assert torch.equal(encoding.branch_tokens, encoding.clip_tokens)
    expected = visible[:, None].expand(-1, FRAMES, -1).double()
    assert torch.equal(encoding.branch_tokens[..., 1], expected)


def test_masked_forward_is_a_forward_in_which_only_those_positions_exist(batch):
    model = build_model()
    stir(model.backbone.branch)
    positions = [0, 3, 4, 8]
    visible = torch.tensor([positions] * CLIPS)
    masked = model.backbone(batch['imgs'], visible)
    depth = model.trunk.num_layers
    states = model.trunk.hidden_states(batch['imgs'], range(depth - 3, depth + 1))
    only = [FrameTokens(s.cls, s.patches[:, :, positions]) for s in states]
    space = model.trunk.position_embedding[None, None]
    space = FrameTokens(space[:, :, 0], space[:, :, 1:][:, :, positions])
    cls, tokens = model.backbone.branch(only, space)
    torch.testing.assert_close(masked.branch_tokens, tokens)
    video = model.backbone.branch.embedding(cls, states[-1].cls, model.trunk)
    torch.testing.assert_close(masked.video, video)


def test_a_mask_of_each_frame_that_is_a_tube_equals_the_tube(batch):
    model = build_model()
    stir(model.backbone.branch)
    tube = model.mask(CLIPS, FRAMES, PATCHES, torch.device('cpu'))
    each = tube[:, None].expand(-1, FRAMES, -1)
    one, other = model.backbone(batch['imgs'], tube), model.backbone(batch['imgs'], each)
    assert torch.equal(one.video, other.video)
    assert torch.equal(one.branch_tokens, other.branch_tokens)


def test_a_mask_of_each_frame_takes_that_frames_tokens_and_positions(batch):
    """A branch of no blocks hands on its input: V(L-1) + P_t + P_s at the frame's own places."""
    model = build_model(dict(type='BTAdapter', num_layers=1, num_frames=FRAMES))
    branch = model.backbone.branch
    stir(branch)
    branch.temporal[0] = torch.nn.Identity()
    branch.spatial[0].forward = lambda cls, tokens: (cls, tokens)
    visible = RandomMask(0.5)(CLIPS, FRAMES, PATCHES, torch.device('cpu'))
    tokens = model.backbone(batch['imgs'], visible).branch_tokens
    source, = model.trunk.hidden_states(batch['imgs'], [model.trunk.num_layers - 1])
    for b in range(CLIPS):
        for t in range(FRAMES):
            for slot, place in enumerate(visible[b, t].tolist()):
                expected = (source.patches[b, t, place] + branch.time_embedding[t] +
                            model.trunk.position_embedding[1 + place])
                torch.testing.assert_close(tokens[b, t, slot], expected)


def test_masking_nothing_equals_no_mask(batch):
    model = build_model()
    stir(model.backbone.branch)
    everything = torch.arange(PATCHES).expand(CLIPS, -1)
    masked, plain = model.backbone(batch['imgs'], everything), model.encode(batch['imgs'])
    torch.testing.assert_close(masked.video, plain.video)
    torch.testing.assert_close(masked.branch_tokens, plain.branch_tokens)


@pytest.mark.parametrize('frames, places', [
    (4, [0, 1, 2, 3]),  # the rows themselves
    (1, [1.5]), (2, [0.5, 2.5]), (3, [1 / 6, 1.5, 17 / 6]),  # the middles of each share
    (7, [0, .5, 1, 1.5, 2, 2.5, 3]),  # from the first row to the last
    (64, [3 * i / 63 for i in range(64)])])
def test_frames_read_the_time_embedding_at_their_places(frames, places):
    """Rows 0, 1, 2, 3 read as the places themselves."""
    branch = build_model().backbone.branch
    branch.time_embedding.data.copy_(torch.arange(4.0)[:, None].expand(4, 16))
    expected = torch.tensor(places, dtype=torch.float64)
    torch.testing.assert_close(branch.time(frames)[0, :, 0, 5], expected)


def test_as_many_frames_as_were_trained_read_the_rows_bit_for_bit():
    branch = build_model().backbone.branch
    assert torch.equal(branch.time(FRAMES)[0, :, 0], branch.time_embedding)


def test_no_two_frames_of_a_long_clip_read_the_same():
    """Nor do the first few or the last few, beyond the middles of the trained frames' shares."""
    branch = build_model().backbone.branch
    for frames in (5, 8, 12, 16, 63, 64):
        rows = branch.time(frames)[0, :, 0]
        assert torch.cdist(rows, rows).add(torch.eye(frames)).min() > 1e-2


@pytest.mark.parametrize('frames', [2, 8, 9])
def test_time_embedding_starts_at_its_scale_and_has_no_part_that_all_frames_share(frames):
    torch.manual_seed(0)
    rows = BTAdapter(OpenCLIPTrunk(TINY), num_frames=frames, time_scale=1.5).branch.time_embedding
    torch.testing.assert_close(rows.mean(dim=0), torch.zeros(16), rtol=0, atol=1e-6)
    torch.testing.assert_close(rows.square().mean(), torch.tensor(2.25))
    neighbours = (rows[1:] - rows[:-1]).norm(dim=1)
    assert neighbours.max() <= (rows[-1] - rows[0]).norm()


def test_a_single_frame_has_no_time():
    branch = BTAdapter(OpenCLIPTrunk(TINY), num_frames=1).branch
    assert torch.equal(branch.time_embedding, torch.zeros(1, 16))


@pytest.mark.parametrize('change, message', [
    (dict(combination='max'), 'combination'),
    (dict(temporal_proj='one'), 'temporal_proj'),
])
def test_arguments_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        BTAdapter(OpenCLIPTrunk(TINY), **change)


def test_concatenation_starts_as_the_weighted_selection_that_it_is_compared_with(batch):
    """Encoding, losses and the gradients of all that both have."""
    models = [build_model(dict(type='BTAdapter', num_layers=3, num_frames=FRAMES,
                               combination=combination)) for combination in ('weighted', 'concat')]
    models[1].heads.load_state_dict(models[0].heads.state_dict())
    found = []
    for model in models:
        torch.manual_seed(3)  # the mask
        losses = model(batch, mode='loss')
        sum(losses.values()).backward()
        found.append((model.encode(batch['imgs']), losses, {
            name: p.grad for name, p in model.named_parameters() if p.grad is not None}))
    (half, losses, gradients), (concat, others, theirs) = found
    assert torch.equal(half.video, concat.video)
    assert torch.equal(half.branch_tokens, concat.branch_tokens) and losses == others
    shared = {name for name in gradients if 'gate' not in name}
    assert len(shared) > 40 and shared == {name for name in theirs if 'gate' not in name}
    for name in shared:
        torch.testing.assert_close(gradients[name], theirs[name])


def test_ablations_change_what_they_say(batch):
    """Concatenation learns what a gate cannot say: it begins as a gate."""
    kinds = [dict(), dict(combination='add'), dict(combination='concat'), dict(interaction=False)]
    videos = []
    for change in kinds:
        model = build_model(dict(type='BTAdapter', num_layers=3, num_frames=FRAMES, **change))
        if 'combination' in change:
            stir(model.backbone.branch.gates)
            stir(model.backbone.branch.output_gate)
        videos.append(model.encode_video(batch['imgs']))
        sum(model(batch, mode='loss').values()).backward()
        assert all(p.grad is not None for p in model.backbone.branch.parameters())
    for i, video in enumerate(videos):
        for other in videos[:i]:
            assert (video - other).abs().max() > 1e-4
