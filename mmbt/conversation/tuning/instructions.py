"""Questions about videos with the answers that a dialogue model is taught: instruction tuning."""
import os.path as osp
from collections import Counter
from typing import Any

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS

from mmbt.datasets.annotations import load_json, warn
from mmbt.datasets.broken_videos import BrokenVideoPolicy
from mmbt.datasets.video_files import StemIndex, check_folder
from mmbt.files.shown import printable
from mmbt.files.text import shorten

KEYS = ('q', 'a', 'video_id')
PLACE = '<video>'  # where a prompt has its video, and so no word of a text


def read_instructions(path: str) -> tuple[list[dict], int]:
    """Read VideoChatGPT-100K's form: ``[{"q": "...", "a": "...", "video_id": "..."}, ...]``.

    Args:
        path: The annotation file.

    Returns:
        ``dict(video, question, answer)`` for each entry that can be used, and how many cannot: one
        of its texts is empty or holds ``<video>``.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file or an entry is of another form, or no entry can be used.
    """
    entries, unusable = [], 0
    for index, entry in enumerate(load_json(path, list)):
        if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in KEYS):
            raise ValueError(f"{path} entry {index} must be an object with the texts 'q', 'a' and "
                             f"'video_id', got {shorten(entry)}")
        question, answer, video = (entry[key].strip() for key in KEYS)
        if not (question and answer and video) or PLACE in question + answer:
            unusable += 1
            continue
        entries.append(dict(video=video, question=question, answer=answer))
    if not entries:
        raise ValueError(f'{path}: a text of each of its {unusable} entries is empty or holds '
                         f'{PLACE}; nothing to learn from')
    return entries, unusable


@DATASETS.register_module()
class VideoInstructions(BrokenVideoPolicy, BaseActionDataset):
    """One sample a question, with its answer: VideoChatGPT-100K and what has its form.

    A sample enters the pipeline as ``dict(filename=..., video_id=..., question=..., answer=...)``;
    ``PackVideoText(meta_keys=('video_id', 'question', 'answer'))`` hands the texts on.

    All videos are looked for when the data set is built. Those that lie there and cannot be read
    are found when their turn comes, see :class:`~mmbt.datasets.broken_videos.BrokenVideoPolicy`.

    Args:
        ann_file: A JSON list of objects with ``q``, ``a`` and ``video_id``.
        pipeline: Transforms.
        data_prefix: ``video``, the folder of the videos; a video is the file of its id, whatever
            its suffix and subfolder. Defaults to dict(video='').
        missing: 'fail' refuses to train where videos are missing; 'skip' leaves their questions out
            and logs how many.
        test_mode: Evaluation: a broken video is an error.
        **kwargs: Arguments of ``BaseActionDataset``.

    Raises:
        FileNotFoundError: If the annotation file, the video folder, or a video is missing; with
            'skip', if all are.
        ValueError: If the annotation file is malformed, or two files could be one video.
    """

    def __init__(self, ann_file: str, pipeline: list, data_prefix: dict | None = None,
                 missing: str = 'fail', test_mode: bool = False, **kwargs: Any) -> None:
        if missing not in ('fail', 'skip'):
            raise ValueError(f"VideoInstructions: missing must be 'fail' or 'skip', got "
                             f'{missing!r}')
        self.missing = missing
        super().__init__(ann_file=ann_file, pipeline=pipeline,
                         data_prefix=data_prefix or dict(video=''), test_mode=test_mode, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return ``dict(filename, video_id, question, answer)`` for every question."""
        entries, unusable = read_instructions(self.ann_file)
        if unusable:
            warn(f'{self.ann_file}: left out {unusable} of {unusable + len(entries)} '
                       f'questions, of which a text is empty or holds {PLACE}')
        files = self._find(Counter(entry['video'] for entry in entries))
        return [dict(filename=files[entry['video']], video_id=entry['video'],
                     question=entry['question'], answer=entry['answer'])
                for entry in entries if entry['video'] in files]

    def _find(self, videos: Counter[str]) -> dict[str, str]:
        """The files of the videos that are there; see the class for those that are not.

        Args:
            videos: How many questions there are about each.
        """
        folder = self.data_prefix.get('video', '')
        check_folder(folder)
        index = StemIndex(folder or '.')
        files = {video: index.find(video) for video in videos}
        gone = sorted(video for video, file in files.items() if not osp.exists(file))
        if not gone:
            return files
        found = f'{len(gone)} of {len(videos)} videos of {self.ann_file} are missing below ' \
                f"{folder or 'the working folder'}, such as {printable(gone[0])}"
        if self.missing == 'fail' or len(gone) == len(videos):
            raise FileNotFoundError(f"{found}: put them there, or set missing='skip' in the data "
                                    'set to train on the others')
        questions = sum(videos[video] for video in gone)
        warn(f'{found}: the {questions} questions about them are left out')
        return {video: files[video] for video in videos.keys() - set(gone)}
