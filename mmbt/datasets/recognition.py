"""Videos with class labels: zero-shot recognition."""
import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS

from mmbt.models.class_names import read_classes

from .annotations import read_labels
from .broken_videos import BrokenVideoPolicy
from .video_files import check_folder


@DATASETS.register_module()
class LabelledVideos(BrokenVideoPolicy, BaseActionDataset):
    """One sample a video, with its class label; ``metainfo['classes']`` holds the class names.

    A sample enters the pipeline as ``dict(filename=..., video_id=..., label=int)``.

    Broken videos: see :class:`~mmbt.datasets.broken_videos.BrokenVideoPolicy`.

    Args:
        ann_file: A list of videos, a line each: path, delimiter, label.
        pipeline: Transforms.
        class_file: Class names, one a line, in label order.
        data_prefix: ``video``, the folder of the videos. Defaults to dict(video='').
        delimiter: Between path and label.
        label_base: The first class's label in the list, 0 or 1.
        num_classes: Checked against the class file where given.
        class_names: 'words' turns CamelCase and underscores of the class file into words, 'raw'
            takes its lines as they are; ``cls_head`` must say the same.
        test_mode: Evaluation: a broken video is an error.
        **kwargs: Arguments of ``BaseActionDataset``.

    Raises:
        FileNotFoundError: If the list, the class file or the video folder is missing.
        ValueError: If the list is malformed or does not fit the class file.
    """

    def __init__(self, ann_file: str, pipeline: list, class_file: str,
                 data_prefix: dict | None = None, delimiter: str = ' ', label_base: int = 0,
                 num_classes: int | None = None, class_names: str = 'words',
                 test_mode: bool = False, **kwargs: Any) -> None:
        self.class_file = class_file
        self.class_names = class_names
        self.delimiter = delimiter
        self.label_base = label_base
        super().__init__(ann_file=ann_file, pipeline=pipeline,
                         data_prefix=data_prefix or dict(video=''), num_classes=num_classes,
                         test_mode=test_mode, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return ``dict(filename, video_id, label)`` for every listed video."""
        self._metainfo['classes'] = self._read_classes()
        return self._read_list(self.ann_file)

    def _read_classes(self) -> list[str]:
        classes = read_classes(self.class_file, self.class_names)
        if self.num_classes is not None and self.num_classes != len(classes):
            raise ValueError(f'{self.class_file} names {len(classes)} classes but num_classes is '
                             f'{self.num_classes}')
        return classes

    def _read_list(self, path: str) -> list[dict]:
        """The samples of one list file."""
        count = len(self._metainfo['classes'])
        items = read_labels(path, self.delimiter, self.label_base)
        folder = self.data_prefix.get('video', '')
        check_folder(folder)
        for item in items:
            if item['label'] >= count:
                raise ValueError(f"{path} line {item['line']}: label "
                                 f"{item['label'] + self.label_base} has no class among the "
                                 f'{count} of {self.class_file}; check label_base')
        return [dict(filename=osp.join(folder, item['video']), video_id=item['video'],
                     label=item['label']) for item in items]


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
