"""Two processes that meet broken videos, and what each one's report says."""
import json
from types import SimpleNamespace

from mmaction.datasets import BaseActionDataset

from mmbt.datasets.broken_videos import BrokenVideoPolicy
from mmbt.engine import BrokenVideoHook

# For each process the videos that it knows to be broken after each epoch.
MET = (((1, 2), (1, 2), ()), ((2, 5, 7), (2, 5, 6, 7), ()))


class Videos(BrokenVideoPolicy, BaseActionDataset):
    """Nine videos, some of which are known to be broken."""

    def __init__(self, *broken):
        super().__init__(ann_file='', pipeline=[])
        self.now_broken(*broken)

    def load_data_list(self):
        return [dict(filename=f'{number}.mp4') for number in range(9)]

    def now_broken(self, *numbers):
        for number in range(9):
            self._broken.set(number, number in numbers)


def report(hook, dataset):
    """What the hook logs after an epoch."""
    lines = []
    hook.after_train_epoch(SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=dataset),
        logger=SimpleNamespace(warning=lines.append)))
    return lines


def work(rank, split, folder):
    """One process: write its reports, the names in each limited to one."""
    hook, dataset = BrokenVideoHook(), Videos()
    hook.most_named = 1
    reports = []
    for numbers in MET[rank]:
        dataset.now_broken(*numbers)
        reports.append(report(hook, dataset))
    (folder / f'{rank}.json').write_text(json.dumps(reports))
