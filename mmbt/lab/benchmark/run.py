"""Run the rows of a benchmark."""
import gc
import statistics
from collections.abc import Callable, Sequence

import torch

from .compiling import compiled_step
from .flops import Sizes, model_sizes, step_flops
from .limit import Limit, timed
from .machine import Memory, describe_machine, versions, why_skipped
from .profiling import host_syncs, profile_step
from .settings import Settings
from .steps import Step


def run_benchmark(rows: Sequence[Settings],
                  compile: bool = False,
                  profile_dir: str | None = None,
                  progress: Callable[[dict], object] = lambda report: None) -> dict:
    """Measure each row, and the machine's limit around them.

    Args:
        rows: What to run, of one architecture, on one device.
        compile: Whether to time the step with its forward compiled too.
        profile_dir: Folder for traces; None profiles nothing.
        progress: Called with the report before the first row and after each.

    Returns:
        ``command``, ``versions``, ``machine``, ``limits`` by precision (``rate``, operations a
        second, and ``shapes``), and ``rows``, one dict each as :func:`run_row` has it, with
        ``limit`` and ``fraction_of_limit``, and ``fraction_of_least``, that of the fastest step,
        which is nearer the truth where others use the machine; and ``fraction_of_sustained``, of
        the rate that such products had beside it: on a CPU, the median over the steps of each
        one's fraction of the rate right before and after it, which is fair to a machine whose
        speed changes; on a GPU, of their average in the whole run.
    """
    device, sizes = rows[0].device, model_sizes(rows[0].arch)
    report: dict = dict(command=rows[0].command, versions=versions(),
                        machine=describe_machine(device), limits={}, rows=[])
    progress(report)
    limits: dict[str, Limit] = {}
    tokens = max(row.batch * row.frames for row in rows) * (1 + sizes.patches)
    for settings in rows:
        skipped = why_skipped(settings.precision, device)
        if skipped is not None:
            report['rows'].append(dict(settings=settings.as_dict(), skipped=skipped))
            progress(report)
            continue
        if settings.precision not in limits:
            limits[settings.precision] = Limit(sizes, tokens, settings.dtype, device)
            limits[settings.precision].probe()
        limit = limits[settings.precision]
        report['rows'].append(run_row(settings, sizes, limit, compile, profile_dir))
        limit.probe()
        relate(report, limits)
        progress(report)
    return report


def relate(report: dict, limits: dict[str, Limit]) -> None:
    """Write the limits as known so far, and each row's fraction of its own."""
    report['limits'] = {precision: dict(
        rate=limit.rate, sustained=limit.sustained, shapes=dict(limit.rates))
                        for precision, limit in limits.items()}
    for row in report['rows']:
        if 'flops_per_second' in row:
            row['limit'] = limits[row['settings']['precision']].rate
            row['fraction_of_limit'] = row['flops_per_second'] / row['limit']
            sustained = limits[row['settings']['precision']].sustained
            row['fraction_of_sustained'] = _fraction_beside(row) if row.get('beside') else \
                row['flops_per_second'] / sustained
            row['fraction_of_least'] = \
                row['flops']['total'] / row['seconds']['min'] / row['limit']


def _fraction_beside(row: dict) -> float:
    """The median over the steps of each one's fraction of the rate right before and after it."""
    around = [(before + after) / 2 for before, after in zip(row['beside'], row['beside'][1:])]
    return statistics.median(row['flops']['total'] / seconds / rate
                             for seconds, rate in zip(row['seconds']['steps'], around))


def run_row(settings: Settings, sizes: Sizes, limit: Limit, compile: bool,
            profile_dir: str | None) -> dict:
    """Measure one row.

    Returns:
        ``settings``, ``flops`` by part, ``seconds`` of a step, ``beside``, on a CPU the rate of
        matrix products before the first step and after each, ``clips_per_second``,
        ``flops_per_second``, ``memory`` in bytes, ``host_sync``, and ``compiled`` and ``profile``
        where asked for. Without memory for it: ``settings`` and ``error``.
    """
    flops = step_flops(sizes, settings.batch, settings.frames, settings.mask_ratio or 0.,
                       settings.layers, settings.variant, settings.train)
    row: dict = dict(settings=settings.as_dict(), flops=flops)
    try:
        step = Step(settings)
        memory = Memory(settings.device)
        beside: list[float] = []
        seconds = timed(step, settings.steps, settings.device, settings.warmup,
                        between=lambda: beside.append(limit.sample()))
        row.update(beside=beside, memory=memory.peak(),
                   **rates(seconds, settings.batch, flops['total']))
        row['host_sync'] = host_syncs(step)
        if compile:
            row['compiled'] = compiled_step(step, row['seconds']['median'])
        if profile_dir is not None:
            row['profile'] = profile_step(step, profile_dir, _trace_name(settings))
    except torch.OutOfMemoryError as error:
        row['error'] = 'out of memory: ' + str(error).split('. ')[0]
    finally:
        step = None  # type: ignore[assignment]
        gc.collect()
        if settings.device == 'cuda':
            torch.cuda.empty_cache()
    return row


def rates(seconds: list[float], batch: int, flops: int) -> dict:
    """Median, least and spread of the times, and what follows from the median.

    ``spread`` is the distance of the quartiles; a single time has none.
    """
    median = statistics.median(seconds)
    quartiles = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [median] * 3
    return dict(
        seconds=dict(median=median, min=min(seconds), max=max(seconds),
                     spread=quartiles[2] - quartiles[0], steps=seconds),
        clips_per_second=batch / median,
        flops_per_second=flops / median)


def _trace_name(settings: Settings) -> str:
    """What tells one row's trace from another's."""
    parts = [settings.command, settings.arch_name, settings.variant, settings.precision,
             f'b{settings.batch}', f't{settings.frames}', f'k{settings.layers}']
    if settings.mask_ratio is not None:
        parts.append(f'm{settings.mask_ratio:g}')
    return '_'.join(parts).replace('/', '-')
