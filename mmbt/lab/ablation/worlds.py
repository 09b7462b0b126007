"""What an ablation is trained and tested on."""
from dataclasses import dataclass, replace
from pathlib import Path

from .tables import CORRECT, DIDEMO, MSRVTT, TEMPORAL


@dataclass(frozen=True)
class Column:
    """One of our numbers.

    Attributes:
        label: Its name in a table.
        test: The test that gives it.
        metric: Its key there.
        scale: Factor that makes it a percentage.
    """

    label: str
    test: str
    metric: str
    scale: float = 1.0


@dataclass(frozen=True)
class World:
    """Where rows are trained and tested; every row is a difference over each of these configs.

    Attributes:
        name: Its name.
        train: The config of training, by its name in configs/.
        tests: Name of each test to its config.
        columns: Our numbers.
        stands_for: The paper's column to ours that is compared with it.
        lacks: Rows that cannot be here.
        prepared: Configs of what is trained for each seed before its rows, beside the data that are
            made for it, see :func:`mmbt.lab.ablation.row.prepare`. The world's configs then name
            the folder of seed 0. Empty where all seeds share what the configs name.
        shares: World whose data and folder it shares; the tables go to a folder below that.
    """

    name: str
    train: str
    tests: dict[str, str]
    columns: tuple[Column, ...]
    stands_for: dict[str, str]
    lacks: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()
    shares: str = ''

    @property
    def folder(self) -> Path:
        """Where it keeps everything, unless told otherwise."""
        return Path('work_dirs/ablations') / (self.shares or self.name)


CLIP_OF_SHAPES = 'demo/shapes_clip'

SHAPES = World(
    name='moving_shapes',
    train='demo/shapes_pretrain',
    tests=dict(retrieval='demo/shapes_retrieval', motion='demo/shapes_recognition',
               scene='demo/shapes_scenes'),
    columns=(
        Column('t2v R@1', 'retrieval', 'retrieval/t2v_R1'),
        Column('v2t R@1', 'retrieval', 'retrieval/v2t_R1'),
        Column('motion top-1', 'motion', 'acc/top1', 100),
        Column('time order', 'retrieval', 'pairs/acc'),
        Column('knowledge kept', 'scene', 'acc/top1', 100),
    ),
    stands_for={MSRVTT: 't2v R@1', DIDEMO: 'v2t R@1', TEMPORAL: 'time order',
                CORRECT: 'knowledge kept'},
    lacks=('fig3_layers_6', 'fig3_layers_8'),  # its CLIP has four layers
    prepared=(CLIP_OF_SHAPES, ))

SHAPES_LONG = replace(
    SHAPES, name='moving_shapes_long', train='demo/shapes_pretrain_long', shares='moving_shapes')

WEBVID = World(
    name='webvid',
    train='pretrain_webvid',
    tests=dict(msrvtt='zeroshot_msrvtt', didemo='zeroshot_didemo'),
    columns=(Column('MSR-VTT R@1', 'msrvtt', 'retrieval/t2v_R1'),
             Column('DiDeMo R@1', 'didemo', 'retrieval/t2v_R1')),
    stands_for={MSRVTT: 'MSR-VTT R@1', DIDEMO: 'DiDeMo R@1'})

WORLDS = {world.name: world for world in (SHAPES, SHAPES_LONG, WEBVID)}
