"""WebVid's table at its full size, by hand: ``python tests/datasets/scale.py --rows 2500000``.

Prints how long it loads, how long a shuffled order takes to make, and the memory of this process
and of all its data-loading workers together (the sum of their proportional shares, Linux's Pss).
"""
import argparse
import csv
import random
import tempfile
import time
from pathlib import Path

WORDS = [
    'young', 'woman', 'walking', 'along', 'sandy', 'beach', 'at', 'golden', 'sunset', 'slow',
    'motion', 'aerial', 'view', 'of', 'mountain', 'river', 'forest', 'drone', 'footage',
    'close', 'up', 'hands', 'typing', 'keyboard', 'office'
]
PER_FOLDER = 50


def write_webvid(path: Path, rows: int) -> Path:
    """Write a table with WebVid's columns and captions of about 70 characters."""
    draw = random.Random(0)
    with open(path, 'w', encoding='utf-8', newline='') as file:
        table = csv.writer(file)
        table.writerow(['videoid', 'contentUrl', 'duration', 'page_dir', 'name'])
        for row in range(rows):
            video, first = 1000000 + row, row // PER_FOLDER * PER_FOLDER
            table.writerow([
                video, f'https://ak.picdn.net/shutterstock/videos/{video}/preview/stock-{video}.mp4',
                'PT00H00M15S', f'{first:06}_{first + PER_FOLDER - 1:06}',
                f'{row}, {" ".join(draw.choices(WORDS, k=10))}'])
    return path


def memory(pid: int) -> int:
    """A process's proportional share of memory in bytes."""
    text = Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='utf-8')
    return 1024 * int(text.split('\nPss:')[1].split()[0])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rows', type=int, default=2500000)
    parser.add_argument('--workers', type=int, default=16)
    parser.add_argument('--batches', type=int, default=200, help='of 80, read by the workers')
    args = parser.parse_args()

    from mmengine.dataset import pseudo_collate
    from torch.utils.data import DataLoader

    import mmbt  # noqa: F401
    from mmbt.datasets import CaptionedVideos
    from mmbt.engine import ResumableSampler
    from mmbt.lab.benchmark.machine import process_status
    from mmbt.models import video_text  # noqa: F401  what a training process holds besides

    print(f"before: {process_status('VmRSS') / 2**30:.2f} GiB")
    with tempfile.TemporaryDirectory() as folder:
        path = write_webvid(Path(folder) / 'table.csv', args.rows)
        start = time.perf_counter()
        dataset = CaptionedVideos(ann_file=str(path), form='webvid', pipeline=[])
        print(f'{len(dataset)} rows ({path.stat().st_size / 2**20:.0f} MiB) in '
              f'{time.perf_counter() - start:.1f} s, {dataset.data_bytes.nbytes / 2**20:.0f} MiB '
              f"kept; peak so far {process_status('VmHWM') / 2**30:.2f} GiB, now "
              f"{process_status('VmRSS') / 2**30:.2f} GiB")
    sampler = ResumableSampler(dataset, shuffle=True, seed=0)
    start = time.perf_counter()
    next(iter(sampler))
    print(f'a shuffled order in {time.perf_counter() - start:.2f} s')
    loader = DataLoader(dataset, batch_size=80, sampler=sampler, num_workers=args.workers,
                        collate_fn=pseudo_collate, multiprocessing_context='fork')
    batches = iter(loader)
    for _ in range(args.batches):
        next(batches)
    shares = [memory(process.pid) for process in batches._workers]
    print(f"{args.workers} workers after {args.batches} batches: {sum(shares) / 2**30:.2f} GiB, "
          f"with this process {(sum(shares) + memory('self')) / 2**30:.2f} GiB")


if __name__ == '__main__':
    main()
