"""Videos of several official splits, each of them read once."""
from collections.abc import Sequence
from typing import Any

from mmaction.registry import DATASETS

from .recognition import LabelledVideos


@DATASETS.register_module()
class SplitVideos(LabelledVideos):
    """One sample for each video of any split; ``splits`` says of which ones it is.

    HMDB-51 and UCF-101 have three splits, whose tests share videos. A sample enters the pipeline as
    ``dict(filename=..., video_id=..., label=int, splits=[1, 3])``, and ``SplitAccuracy`` counts it
    in each of them.

    Args:
        ann_file: The lists, with ``{split}`` in place of the number.
        splits: The numbers.
        **kwargs: Arguments of :class:`LabelledVideos`.

    Raises:
        FileNotFoundError: If a list, the class file or the video folder is missing.
        ValueError: If a list is malformed, or two lists give a video two labels.
    """

    def __init__(self, ann_file: str, *args: Any, splits: Sequence[int] = (1, 2, 3),
                 **kwargs: Any) -> None:
        if not splits or '{split}' not in ann_file:
            raise ValueError(f'SplitVideos: ann_file must hold {{split}}, and splits a number; got '
                             f'{ann_file!r} and {splits!r}')
        self.splits = tuple(splits)
        super().__init__(ann_file, *args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return ``dict(filename, video_id, label, splits)`` for every video of a split."""
        self._metainfo['classes'] = self._read_classes()
        samples: dict[str, dict] = {}
        for split in self.splits:
            path = self.ann_file.replace('{split}', str(split))
            for sample in self._read_list(path):
                known = samples.setdefault(sample['video_id'], dict(sample, splits=[]))
                if known['label'] != sample['label']:
                    raise ValueError(f"{path}: {sample['video_id']} has label {sample['label']} "
                                     f"(from 0) here and {known['label']} in another split")
                if split not in known['splits']:
                    known['splits'].append(split)
        return list(samples.values())
