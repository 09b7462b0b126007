"""What memory a GPU would need, found without one: the forward pass followed on shapes alone."""
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch

from .fake_gpu import DEVICE, LiveMemory, fake_gpu, to_fake_gpu
from .machine import versions
from .settings import Settings
from .steps import build_model, random_batch

ADAMW_STATES = 2  # numbers that AdamW keeps of each weight
HEAD = (' clips frames layers masked precision |  weights  forward     kept    grads    AdamW |'
        ' total GiB')


def estimate_memory(rows: Sequence[Settings],
                    progress: Callable[[dict], object] = lambda report: None) -> dict:
    """Memory of each row on a GPU that need not be there.

    Args:
        rows: What would run, of one architecture; ``device`` is not looked at.
        progress: Called with the report after each row.

    Returns:
        ``versions`` and ``rows``, each as :func:`estimate_row` has it.
    """
    report: dict = dict(command='memory', versions=versions(), rows=[])
    for settings in rows:
        report['rows'].append(estimate_row(settings))
        progress(report)
    return report


def estimate_row(settings: Settings) -> dict:
    """Memory of one row in bytes.

    Returns:
        ``settings``; ``weights``; ``forward``, the most that is held in the forward pass, weights
        and batch included; and ``total``. In training also ``kept``, what is held at its end for
        the gradient, ``gradients`` and ``optimizer``, AdamW's. The total leaves out what operators
        take for themselves, in the backward pass above all, and what the allocator keeps in
        reserve.
    """
    model = build_model(settings).train(settings.train)
    batch = random_batch(settings, model)
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    live = LiveMemory(DEVICE)
    with fake_gpu(), live:
        to_fake_gpu(model)
        row: dict = dict(settings=settings.as_dict(), weights=live.now)
        model.data_preprocessor.to(DEVICE)
        inputs = model.data_preprocessor(batch, settings.train)['inputs']
        precise = settings.precision == 'fp32'
        with nullcontext() if precise else torch.autocast(DEVICE, settings.dtype):
            if settings.train:
                losses = model(inputs, mode='loss')  # alive, so that what it keeps is counted
                row.update(kept=live.now, gradients=trained, optimizer=ADAMW_STATES * trained)
                del losses
            else:
                with torch.no_grad():
                    model.encode_video(inputs['imgs'])
    row['forward'] = live.peak
    row['total'] = max(live.peak, row.get('kept', 0) + row.get('gradients', 0)) \
        + row.get('optimizer', 0)
    return row


def memory_as_text(report: dict) -> str:
    """The report as a table, in GiB."""
    settings = report['rows'][0]['settings']
    arch = settings['arch'] if isinstance(settings['arch'], str) else 'custom architecture'
    return '\n'.join([f"memory: {settings['command']}, {arch}, {settings['variant']}, followed "
                      f"without a GPU, torch {report['versions']['torch']}", HEAD]
                     + [table_row(row) for row in report['rows']])


def table_row(row: dict) -> str:
    """One row of the table."""
    settings, masked = row['settings'], row['settings']['mask_ratio']
    sizes: list[str] = [format(row[key] / 2**30, '8.2f') if key in row else '       -'
                        for key in ('weights', 'forward', 'kept', 'gradients', 'optimizer')]
    return (f"{settings['batch']:6} {settings['frames']:6} {settings['layers']:6} "
            f"{'-' if masked is None else format(masked, 'g'):>6} {settings['precision']:>9} | "
            f"{' '.join(sizes)} | {row['total'] / 2**30:.2f}")
