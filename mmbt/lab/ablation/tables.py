"""The rows of the paper's tables and figures: each a config of configs/ablations/."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One row of a table, or one point of a figure.

    Attributes:
        config: Name of the config in configs/ablations/.
        label: What the paper calls it.
        paper: The paper's numbers by column.
        x: Place on a figure's axis.
        series: Curve of a figure that it belongs to.
    """

    config: str
    label: str
    paper: dict[str, float] = field(default_factory=dict)
    x: float | None = None
    series: str = ''


@dataclass(frozen=True)
class Table:
    """A table or figure of the paper; ``axis`` is the label of a figure's axis."""

    name: str
    title: str
    rows: tuple[Row, ...]
    axis: str = ''

    @property
    def columns(self) -> tuple[str, ...]:
        """The paper's columns, in its order."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.paper))


MSRVTT, DIDEMO = 'MSR-VTT R@1', 'DiDeMo R@1'
CORRECT, TEMPORAL = 'Correctness', 'Temporal'


def shown(column: str, number: float) -> str:
    """A number of the paper with the digits that it has there."""
    return f'{number:.1f}' if column.endswith('R@1') else f'{number:.2f}'


def _table(name: str, title: str, columns: tuple[str, ...], *rows: tuple) -> Table:
    configs = name.split('_')[0]  # those of a table's parts begin alike
    return Table(name, title, tuple(
        Row(f'{configs}_{config}', label, dict(zip(columns, numbers)))
        for config, label, *numbers in rows))


TABLE_1 = _table(
    'table1', 'Temporal modelling beside and inside CLIP (Table 1)', (CORRECT, TEMPORAL),
    ('frame_mean', 'Baseline*', 2.38, 1.93),
    ('st_pooling', 'ST pooling*', 2.40, 1.98),
    ('joint_st', 'Joint-ST', 1.92, 2.11),
    ('separate_st', 'Separate-ST', 2.10, 2.13),
    ('separate_st_frozen', 'Separate-ST*', 2.29, 2.01),
    ('bt_adapter', 'BT-Adapter*', 2.55, 2.26))

TABLE_6 = _table(
    'table6', 'Structure (Table 6)', (MSRVTT, DIDEMO, TEMPORAL),
    ('clip', 'CLIP (baseline)', 35.4, 30.3, 1.78),
    ('separate_st', '+ separate-ST', 35.7, 31.0, 1.81),
    ('branch', '+ branch modeling', 37.4, 32.9, 1.97),
    ('interaction', '+ interaction', 38.5, 33.9, 2.06))

TABLE_7 = _table(
    'table7', 'Training objectives (Table 7)', (MSRVTT, DIDEMO),
    ('vtc', 'VTC', 38.5, 33.9),
    ('mbta', 'VTC + MBTA', 39.3, 34.3),
    ('mbca', 'VTC + MBCA', 40.1, 34.9),
    ('both', 'VTC + MBTA + MBCA', 40.9, 35.6))

TABLE_10 = _table(
    'table10', 'Closely related works (Table 10)', (MSRVTT, CORRECT, TEMPORAL),
    ('clip', 'CLIP (baseline)', 35.4, 2.06, 1.78),
    ('st_adapter', 'ST-Adapter', 33.6, 1.52, 1.71),
    ('stan_open', 'STAN (open)', 40.5, 1.84, 1.77),
    ('stan_frozen', 'STAN (frozen)', 38.1, 2.07, 1.92),
    ('bt_adapter', 'BT-Adapter', 40.9, 2.16, 2.13))

TABLE_11_PROJECTION = _table(
    'table11_projection', 'Temporal projection (Table 11, above)', (MSRVTT, DIDEMO),
    ('none', 'No projection', 39.1, 33.5),
    ('random', 'Random initialization', 39.3, 34.0),
    ('zero', 'Zero initialization', 40.9, 35.6))

TABLE_11_COMBINATION = _table(
    'table11_combination', 'Combination (Table 11, below)', (MSRVTT, DIDEMO),
    ('add', 'Addition', 40.0, 34.4),
    ('weighted', 'Weighted selection', 40.9, 35.6),
    ('concat', 'Concatenation', 39.8, 34.5))

FIGURE_3 = Table('fig3', 'Number of layers in the branch (Figure 3)', tuple(
    Row(f'fig3_layers_{k}', f'{k} layer{"s" * (k > 1)}', x=k) for k in (1, 2, 3, 4, 6, 8)),
    axis='layers in the branch')

FIGURE_4 = Table('fig4', 'Mask (Figure 4)', (
    *(Row(f'fig4_tube_{p:02d}', f'tube, {p}%', x=p, series='tube') for p in (0, 30, 50, 70, 90)),
    *(Row(f'fig4_random_{p}', f'random, {p}%', x=p, series='random') for p in (50, 70))),
    axis='masked, %')

# What a user asks for by name, and the parts that it has.
TABLES: dict[str, tuple[Table, ...]] = {
    'table1': (TABLE_1, ),
    'table6': (TABLE_6, ),
    'table7': (TABLE_7, ),
    'table10': (TABLE_10, ),
    'table11': (TABLE_11_PROJECTION, TABLE_11_COMBINATION),
    'fig3': (FIGURE_3, ),
    'fig4': (FIGURE_4, ),
}
