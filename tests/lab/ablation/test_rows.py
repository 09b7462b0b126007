"""Every row over every base: it changes what it is about and nothing else, and it trains."""
import json

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmbt.lab.ablation import configs
from mmbt.lab.ablation.schedule import plan
from mmbt.lab.ablation.tables import TABLES
from mmbt.lab.ablation.worlds import SHAPES, WORLDS

pytestmark = pytest.mark.slow

BASES = ('pretrain_webvid', 'zeroshot_msrvtt', 'demo/shapes_pretrain', 'demo/shapes_retrieval',
         'demo/shapes_recognition')
ROWS = [row.config for parts in TABLES.values() for part in parts for row in part.rows]

FULL = ('table7_both', 'table10_bt_adapter', 'table11_zero', 'table11_weighted')
CLIP = ('table1_frame_mean', 'table6_clip', 'table10_clip')
VTC = ('table1_bt_adapter', 'table6_interaction', 'table7_vtc')
OPEN = ('table1_joint_st', 'table1_separate_st', 'table10_stan_open')
UNTRAINED = (*CLIP, 'table1_st_pooling')


def heads(base, *names):
    """Some of the base's objectives."""
    return [head for head in base['heads'] if head['type'].removesuffix('Head') in names]


def rival(base, **backbone):
    """Another backbone, trained with VTC and without masks."""
    return dict(backbone=backbone, mask=None, heads=heads(base, 'VTC'))


def opened(base, **backbone):
    """The same in an open CLIP."""
    return dict(rival(base, **backbone), trunk=dict(base['trunk'], frozen=False))


# What a row is about: the parts of the base's model that it changes.
CHANGES = {
    'table1_st_pooling': lambda m: dict(backbone=dict(type='STPooling'), mask=None, heads=[]),
    'table1_joint_st': lambda m: opened(m, type='JointST', num_frames=8),
    'table1_separate_st': lambda m: opened(m, type='SeparateST', num_frames=8),
    'table1_separate_st_frozen': lambda m: rival(m, type='SeparateST', num_frames=8),
    'table6_separate_st': lambda m: rival(
        m, type='SeparateST', num_layers=m['backbone']['num_layers'], num_frames=8),
    'table6_branch': lambda m: dict(
        backbone=dict(m['backbone'], interaction=False), heads=heads(m, 'VTC')),
    'table7_mbta': lambda m: dict(heads=heads(m, 'VTC', 'MBTA')),
    'table7_mbca': lambda m: dict(heads=heads(m, 'VTC', 'MBCA')),
    'table10_st_adapter': lambda m: rival(m, type='STAdapter'),
    'table10_stan_open': lambda m: opened(
        m, type='STAN', num_layers=m['backbone']['num_layers'], num_frames=8),
    'table10_stan_frozen': lambda m: rival(
        m, type='STAN', num_layers=m['backbone']['num_layers'], num_frames=8),
    'table11_none': lambda m: dict(backbone=dict(m['backbone'], temporal_proj='none')),
    'table11_random': lambda m: dict(backbone=dict(m['backbone'], temporal_proj='random')),
    'table11_add': lambda m: dict(backbone=dict(m['backbone'], combination='add')),
    'table11_concat': lambda m: dict(backbone=dict(m['backbone'], combination='concat')),
    'fig4_tube_00': lambda m: dict(mask=None),
    **{name: lambda m: {} for name in FULL},
    **{name: lambda m: dict(backbone=dict(type='FrameMean'), mask=None, heads=[])
       for name in CLIP},
    **{name: lambda m: dict(heads=heads(m, 'VTC')) for name in VTC},
    **{f'fig3_layers_{k}': lambda m, k=k: dict(backbone=dict(m['backbone'], num_layers=k))
       for k in (1, 2, 3, 4, 6, 8)},
    **{f'fig4_tube_{p}': lambda m, p=p: dict(mask=dict(type='TubeMask', ratio=p / 100))
       for p in (30, 50, 70, 90)},
    **{f'fig4_random_{p}': lambda m, p=p: dict(mask=dict(type='RandomMask', ratio=p / 100))
       for p in (50, 70)},
}


@pytest.mark.parametrize('base', BASES)
def test_a_row_changes_what_it_is_about_alone(base, load):
    """Data, schedule, optimizer and all else are the base's."""
    assert set(CHANGES) == set(ROWS)
    whole = load(None, base)
    assert len(whole['model']['heads']) == 3 and whole['model']['mask']
    for row in ROWS:
        changes = CHANGES[row](whole['model'])
        assert load(row, base) == {**whole, 'model': {**whole['model'], **changes},
                                   'ablation': dict(row=row, base=base)}, row


@pytest.mark.parametrize('row', ROWS)
def test_a_row_s_file_is_the_row_over_the_base_that_it_names(row, load):
    """WebVid's where it trains, a test where it does not; another row is named by its own."""
    path = configs.ROWS / f'{row}.py'
    while (named := path.parent / Config._get_base_files(path)[0]).parent == configs.ROWS:
        path = named
    base = named.stem
    assert f'{base}.py' == configs.OWN_BASES[row in UNTRAINED] and named.samefile(
        configs.CONFIGS / f'{base}.py')
    read = Config.fromfile(configs.ROWS / f'{row}.py').to_dict()
    assert {**read, 'ablation': dict(row=row, base=base)} == load(row, base)


def test_a_row_over_a_base_of_one_s_own(tmp_path):
    """It is written for mim, says what it is, and reads as it was."""
    base = tmp_path / "it's mine.py"
    base.write_text(f"_base_ = [{str(configs.CONFIGS / 'zeroshot_msrvtt.py')!r}]\nmine = 5\n")
    path = configs.write_row('table10_stan_open', str(base), tmp_path / 'made')
    assert path == tmp_path / "made/table10_stan_open_over_it's mine.py"
    assert path.read_text().startswith(f'# table10_stan_open over {base}\n')
    written = Config.fromfile(path)
    assert written.ablation == dict(row='table10_stan_open', base=str(base))
    assert (written.mine, written.model.backbone.type, written.model.trunk.frozen
            ) == (5, 'STAN', False)
    assert written.to_dict() == configs.row_over('table10_stan_open', str(base)).to_dict()


def test_what_a_row_cannot_be_over_is_one_line():
    with pytest.raises(FileNotFoundError, match='^zeroshot_moon is no config file, and .* has no'):
        configs.row_over('table7_mbta', 'zeroshot_moon')
    with pytest.raises(ValueError, match='^table7_mbta changes what .*demo_retrieval.py has not '
                                         '.*heads.* as its base$'):
        configs.row_over('table7_mbta', 'demo/demo_retrieval')


def test_load_row_is_over_the_worlds_configs_and_in_the_seeds_folder(load, tmp_path):
    for test, base in ((None, SHAPES.train), *SHAPES.tests.items()):
        config = configs.load_row('table7_mbta', SHAPES, test).to_dict()
        assert config == load('table7_mbta', base) and config['ablation']['base'] == base
        moved = configs.load_row('table7_mbta', SHAPES, test, tmp_path)
        assert moved.filename == f"table7_mbta_over_{base.removeprefix('demo/')}.py"
        text = json.dumps(config).replace('work_dirs/ablations/moving_shapes/seed0', str(tmp_path))
        assert json.dumps(moved.to_dict()) == text and str(tmp_path) in text
    unseeded = configs.load_row('table7_mbta', WORLDS['webvid'], None, tmp_path).to_dict()
    assert unseeded == load('table7_mbta', 'pretrain_webvid')
    with pytest.raises(FileNotFoundError):
        configs.load_row('table7_nothing', SHAPES)


@pytest.fixture
def quick(load, monkeypatch):
    """Let ``load_row`` read a config once."""
    def load_row(row, world, test=None, folder=None):
        assert folder is None
        base = world.train if test is None else world.tests[test]
        return configs.Config(load(row, base))
    monkeypatch.setattr(configs, 'load_row', load_row)
    monkeypatch.setattr(configs, 'load_prepared',
                        lambda name, world: configs.Config(load(None, name)))


SAME = (CLIP, VTC, (*FULL, 'fig3_layers_3', 'fig4_tube_50'))  # the tiny branch: 3 layers, half


def test_rows_that_are_the_same_are_one_run(quick, tmp_path):
    tables = [part for parts in TABLES.values() for part in parts]
    runs = plan(tables, SHAPES, 2, tmp_path)
    names = [row for row in ROWS if row not in SHAPES.lacks]
    assert list(runs) == [(row, seed) for seed in (0, 1) for row in names]
    groups = {}
    for row in names:
        groups.setdefault(runs[row, 0].folder, []).append(row)
    same = [set(group) for group in groups.values() if len(group) > 1]
    assert sorted(map(sorted, same)) == sorted(map(sorted, SAME))
    for group in groups.values():
        assert {runs[row, 0] for row in group} == {runs[group[0], 0]}
        assert runs[group[0], 0].row == group[0]
    first, second = (runs['table6_clip', seed] for seed in (0, 1))
    assert first.folder.parent == tmp_path / 'seed0/runs'
    assert first.data == tmp_path / 'seed0' / configs.data_fingerprint(SHAPES)
    assert second.folder.parent == tmp_path / 'seed1/runs'
    assert first.folder.name == second.folder.name


def test_a_run_changes_with_its_tests(quick, monkeypatch):
    """What is tested otherwise is no run that is done already."""
    before = configs.fingerprint('table6_clip', SHAPES)
    changed = configs.load_row

    def load_row(row, world, test=None):
        config = changed(row, world, test)
        if test == 'scene':
            config.test_dataloader.batch_size += 1
        return config
    monkeypatch.setattr(configs, 'load_row', load_row)
    assert configs.fingerprint('table6_clip', SHAPES) != before


def test_other_sources_and_libraries_run_anew(quick, monkeypatch):
    """Rows, and the data and CLIP that they stand on; another version alone does not."""
    def marks():
        return (configs.fingerprint('table6_clip', SHAPES), configs.data_fingerprint(SHAPES),
                configs.fingerprint('table6_clip', WORLDS['webvid']))
    made_by = dict(configs.made_by())
    before = marks()
    assert marks() == before and len(set(before)) == 3
    for change in (dict(sources='other'), dict(libraries=dict(made_by['libraries'], torch='0'))):
        monkeypatch.setattr(configs, 'made_by', lambda change=change: {**made_by, **change})
        assert not set(marks()) & set(before)


def test_a_clip_of_other_settings_makes_its_rows_anew(quick, monkeypatch):
    before = configs.fingerprint('table6_branch', SHAPES), configs.data_fingerprint(SHAPES)
    changed = configs.load_prepared

    def load_prepared(name, world):
        config = changed(name, world)
        config.train_cfg.max_epochs += 1
        return config
    monkeypatch.setattr(configs, 'load_prepared', load_prepared)
    assert configs.fingerprint('table6_branch', SHAPES) != before[0]
    assert configs.data_fingerprint(SHAPES) != before[1]


def test_worlds_that_share_their_data_find_it(quick):
    long = WORLDS['moving_shapes_long']
    assert configs.data_fingerprint(long) == configs.data_fingerprint(SHAPES)


def build(load, row):
    """A row's model over moving shapes, with a random CLIP."""
    config = configs.Config(load(row, SHAPES.train)).model.to_dict()
    config['trunk']['pretrained'] = None
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(config)


def test_a_world_lacks_just_the_rows_that_cannot_be_built(load):
    for row in SHAPES.lacks:
        with pytest.raises(ValueError, match='num_layers of the branch must lie in 1..4'):
            build(load, row)


# One of each group of equal rows.
DISTINCT = [row for row in ROWS if row not in SHAPES.lacks
            and not any(row in group[1:] for group in SAME)]


@pytest.mark.parametrize('row', DISTINCT)
def test_a_row_trains_what_it_says(row, load):
    model = build(load, row)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    trunk = {name for name, _ in model.named_parameters() if name.startswith('backbone.trunk.')}
    everything = {name for name, _ in model.named_parameters()}
    assert len(trunk) > 60
    if row in UNTRAINED:
        assert trained == set() and everything == trunk and not model.heads
        return
    assert trained == everything - (trunk if row not in OPEN else set())

    generator = torch.Generator().manual_seed(1)
    inputs = dict(imgs=torch.randn(3, 8, 3, 64, 64, generator=generator),
                  tokens=torch.randint(1, 400, (3, 18), generator=generator))
    torch.manual_seed(0)
    losses = model.train().loss(inputs)
    assert list(losses) == [head.name for head in model.heads]
    assert len(losses) == len(load(row, SHAPES.train)['model']['heads'])
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    for name, weight in model.named_parameters():
        assert (weight.grad is None) or (name in trained and weight.grad.isfinite().all()), name
    moved = {name for name, weight in model.named_parameters()
             if weight.grad is not None and weight.grad.any()}
    assert moved - trunk
    assert bool(moved & trunk) == (row in OPEN)
    # An open CLIP learns in both of its towers.
    assert bool({name for name in moved if '.text.' in name}) == (row in OPEN)


def test_the_long_world_differs_in_its_steps_alone_and_shares_no_run():
    long = WORLDS['moving_shapes_long']
    assert long.folder == SHAPES.folder
    ours, theirs = (configs.without_names(configs.load_row('table6_branch', world))
                    for world in (long, SHAPES))
    assert (ours['train_cfg'].pop('max_epochs'), theirs['train_cfg'].pop('max_epochs')) == (8, 4)
    assert ours == theirs
    marks = {configs.fingerprint('table6_branch', world) for world in (long, SHAPES)}
    assert len(marks) == 2
