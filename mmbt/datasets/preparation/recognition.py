"""Class sets: Kinetics-400, HMDB-51, UCF-101."""
import os
import os.path as osp
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mmbt.files.atomic import whole_file
from mmbt.files.text import shorten
from mmbt.models.class_names import to_words

from ..annotations import read_lines, read_rows
from .finding import VideoFinder
from .report import Counts, Official
from .writing import check_target, missing_names

_HMDB_FILE = re.compile(r'(.+)_test_split([123])\.txt')
_UCF_FILE = re.compile(r'(test|train)list0?([123])\.txt')
_SPLIT_IN_NAME = re.compile(r'split_?0?([123])')
_LISTED = re.compile(r'(?P<path>\S.*?)(?P<delimiter>[\t ])\s*(?P<label>[0-9]{1,9})')
_KINETICS_COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end')
_KINETICS_SPLITS = dict(train=('train', ), val=('val', 'validate', 'validation'), test=('test', ))


@dataclass
class Listing:
    """The videos of one list, by class.

    Attributes:
        videos: Path of a video -> its class, as published.
        number: Which official split, 1 to 3.
    """

    videos: dict[str, str] = field(default_factory=dict)
    number: int | None = None

    def add(self, path: str, video: str, label: str) -> None:
        """Add a video of ``path``, a published file; a video has one class."""
        if self.videos.setdefault(video, label) != label:
            raise ValueError(f'{path}: {video} is of class {label} and of {self.videos[video]}')


@dataclass
class Published:
    """What the published files hold together: lists, and classes in label order."""

    listings: list[Listing]
    classes: list[str]


def prepare_classes(name: str, annotations: list[str], videos: str, out: str, split: str,
                    drop_missing: bool) -> list[Counts]:
    """Turn the published files into lists ``path label``, from 0, and ``classes.txt`` of words.

    Args:
        name: 'kinetics400', 'hmdb51' or 'ucf101'.
        annotations: The published files, or a folder of them.
        videos: Folder of the videos.
        out: Folder to write to.
        split: 'train', 'val' (the test of HMDB-51 and UCF-101) or, for Kinetics, 'test'.
        drop_missing: Leave out videos that are not there.

    Returns:
        One for each list: three where three splits are given.

    Raises:
        FileNotFoundError: If a file or the folder of videos is missing.
        ValueError: If a file has none of the set's published forms.
    """
    family = FAMILIES[name]
    split = 'val' if split == 'test' and name != 'kinetics400' else split
    if split not in family.splits:
        raise ValueError(f"{name} has no split {split!r}: choose {', '.join(family.splits)}")
    paths = _files(annotations)
    published = family.read(paths, split)
    if not any(listing.videos for listing in published.listings):
        raise ValueError(f'{name}: no video of {split} in {", ".join(annotations)}')
    class_file = check_target(osp.join(out, 'classes.txt'), paths)
    targets = [check_target(osp.join(out, family.list_name(split, listing.number)), paths)
               for listing in published.listings]
    words = _as_words(f'{name}, {_some(paths)}', published.classes)
    finder = VideoFinder(videos)
    done = []
    for listing, target in zip(published.listings, targets):
        done.append(_write_list(listing, target, finder, published.classes, out, drop_missing))
        counts = done[-1]
        number = f' split {listing.number}' if listing.number else ''
        counts.title = f'{name} {split}{number}'
        counts.official = family.size(split, listing.number)
    if not any(counts.written for counts in done):
        raise ValueError(f'none of the videos is in {videos}: nothing to write; check --videos')
    with whole_file(class_file) as draft:
        draft.write_text(''.join(f'{word}\n' for word in words), encoding='utf-8')
    done[-1].notes.append(f'wrote {class_file}: {len(words)} classes, as words')
    return done


def _as_words(where: str, classes: list[str]) -> list[str]:
    words: dict[str, None] = {}
    for label, word in zip(classes, map(to_words, classes)):
        if not word.strip('_ '):
            raise ValueError(f'{where}: {shorten(label)} is no name of a class')
        if word in words:
            raise ValueError(f'{where}: two classes become {shorten(word)} as words')
        words[word] = None
    return list(words)


def _some(paths: list[str]) -> str:
    return paths[0] if len(paths) == 1 else f'{paths[0]} and {len(paths) - 1} more'


def _write_list(listing: Listing, target: str, finder: VideoFinder, classes: list[str], out: str,
                drop_missing: bool) -> Counts:
    labels = {label: place for place, label in enumerate(classes)}
    counts = Counts('', finder.folder, rows=len(listing.videos), classes=len(classes))
    lines = []
    stem = osp.splitext(osp.basename(target))[0]
    with missing_names(out, stem, counts) as note:
        for video, label in listing.videos.items():
            path = finder.find(video)
            counts.add(video, path is not None)
            if path is None:
                note(video)
            if path is not None or not drop_missing:
                lines.append(f'{path or video} {labels[label]}\n')
    if not lines:
        counts.notes.append(f'{target} is not written: it would be empty')
        return counts
    with whole_file(target) as draft:
        draft.write_text(''.join(lines), encoding='utf-8')
    counts.written, counts.kept = target, len(lines)
    return counts


def read_kinetics_files(paths: list[str], split: str) -> Published:
    """Read Kinetics.

    - the owners' table ``label,youtube_id,time_start,time_end,split``: the file of a row is
      ``youtubeid_start_end`` with six digits for each time, in any folder; classes are numbered in
      alphabetical order;
    - a list ``path label`` (MMAction2's from 0, the authors' the same) and, where its folders do
      not name the classes, a file of class names in label order.
    """
    tables = [path for path in paths if path.lower().endswith(('.csv', '.tsv'))]
    if not tables:
        return _read_lists(paths, split)
    if len(tables) < len(paths):
        raise ValueError('kinetics400: give tables, or a list and class names, not both: '
                         f'{" ".join(paths)}')
    listing, classes = Listing(), set()
    for path in tables:
        rows = read_rows(path)
        _, header = next(rows)
        lacking = [name for name in _KINETICS_COLUMNS if name not in header]
        if lacking:
            raise ValueError(f"{path} has no column {', '.join(lacking)}: is it Kinetics' table?")
        for number, values in rows:
            row = dict(zip(header, values))
            try:
                times = [int(float(row[name])) for name in ('time_start', 'time_end')]
            except (KeyError, ValueError, OverflowError):
                raise ValueError(f'{path} line {number}: times must be numbers') from None
            if not row['label'].strip() or not row['youtube_id'].strip():
                raise ValueError(f'{path} line {number} lacks a label or an id')
            classes.add(row['label'])
            if (row.get('split') or split).strip() in _KINETICS_SPLITS[split]:
                start, end = times
                listing.add(path, f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4", row['label'])
    return Published([listing], sorted(classes))


def read_hmdb_files(paths: list[str], split: str) -> Published:
    """Read HMDB-51.

    - the owners' ``CLASS_test_split{1,2,3}.txt``, a line a video: name, and 1 for training, 2 for
      testing, 0 for neither; the file of a video is ``CLASS/name``;
    - a list ``path label``: MMAction2's from 0, the authors' with a tab and from 1.
    """
    names = {path: _HMDB_FILE.fullmatch(osp.basename(path)) for path in sorted(paths)}
    official = {path: found for path, found in names.items() if found}
    if len(official) < len(names):
        return _read_lists([path for path in paths if path not in official], split)
    wanted = '1' if split == 'train' else '2'
    listings: dict[int, Listing] = {}
    for path, found in official.items():
        listing = listings.setdefault(int(found[2]), Listing(number=int(found[2])))
        for number, line in read_lines(path):
            video, _, use = line.strip().rpartition(' ')
            if use not in ('0', '1', '2') or not video:
                raise ValueError(f'{path} line {number} must be a name and 0, 1 or 2')
            if use == wanted:
                listing.add(path, f'{found[1]}/{video.strip()}', found[1])
    return Published([listings[number] for number in sorted(listings)],
                     sorted({found[1] for found in official.values()}))


def read_ucf_files(paths: list[str], split: str) -> Published:
    """Read UCF-101.

    - the owners' ``testlist0{1,2,3}.txt``, a line a video: ``Class/file``; in ``trainlist``, its
      label from 1 too; and, where it is given, ``classInd.txt``, a line a class: label, name;
    - a list ``path label``: MMAction2's from 0, the authors' with a tab and from 1.
    """
    kind = 'train' if split == 'train' else 'test'
    listings, classes, others = [], None, []
    for path in sorted(paths):
        found = _UCF_FILE.fullmatch(osp.basename(path))
        if osp.basename(path) == 'classInd.txt':
            classes = _class_index(path)
        elif found is None:
            others.append(path)
        elif found[1] == kind:
            listing = Listing(number=int(found[2]))
            for number, line in read_lines(path):
                video = re.sub(r'\s+\d+$', '', line.strip())
                if '/' not in video:
                    raise ValueError(f'{path} line {number} must be Class/file')
                listing.add(path, video, video.split('/')[0])
            listings.append(listing)
    if others:
        return _read_lists(others, split, classes)
    names = {label for listing in listings for label in listing.videos.values()}
    unknown = names.difference(classes) if classes else ()
    if unknown:
        raise ValueError(f'{_some(paths)}: classInd.txt has no class {min(unknown)}')
    return Published(listings, classes or sorted(names))


def _class_index(path: str) -> list[str]:
    names: dict[int, str] = {}
    for number, line in read_lines(path):
        label, _, name = line.strip().partition(' ')
        if not re.fullmatch('[0-9]{1,9}', label) or not name.strip():
            raise ValueError(f'{path} line {number} must be a label and a class')
        if names.setdefault(int(label), name.strip()) != name.strip():
            raise ValueError(f'{path} line {number} gives label {label} a second class')
    if sorted(names) != list(range(1, len(names) + 1)):
        raise ValueError(f'{path} must count its classes from 1 without a gap')
    return [names[label] for label in sorted(names)]


def _read_lists(paths: list[str], split: str, classes: list[str] | None = None) -> Published:
    """Read lists ``path label`` and a file of class names, told apart by their lines."""
    tables = []
    for path in paths:
        lines = [(number, line.strip()) for number, line in read_lines(path)]
        matches = [match for _, line in lines if (match := _LISTED.fullmatch(line))]
        if len(matches) == len(lines):
            tables.append((path, matches))
        elif any('/' in match.string for match in matches):
            number = next(number for number, line in lines if not _LISTED.fullmatch(line))
            raise ValueError(f'{path} line {number} must be a path and a label')
        else:
            classes = [line for _, line in lines]
    if not tables:
        raise ValueError(f"no list of videos among {', '.join(paths)}")
    listings = []
    for path, matches in tables:
        found = _SPLIT_IN_NAME.search(osp.basename(path))
        labels = [int(match['label']) for match in matches]
        tabbed = matches[0]['delimiter'] == '\t'
        # A label 0 settles it; otherwise it is the authors' lists, with tabs, that count from 1.
        base = 0 if 0 in labels or not tabbed else 1
        listings.append((path, Listing(number=int(found[1]) if found else None),
                         [(match['path'].strip(), label - base)
                          for match, label in zip(matches, labels)]))
    names = classes if classes is not None else _folders_as_classes(
        _some(paths), ((video, label) for _, _, items in listings for video, label in items))
    for path, listing, items in listings:
        for video, label in items:
            if label >= len(names):
                raise ValueError(f'{path}: label {label} (from 0) of {video} has no class among '
                                 f'{len(names)}')
            listing.add(path, video, names[label])
    ordered = sorted((listing for _, listing, _ in listings), key=lambda one: one.number or 0)
    return Published(ordered, names)


def _folders_as_classes(where: str, items: Iterable[tuple[str, int]]) -> list[str]:
    """The classes of labels 0, 1, ..., from the folders of their videos."""
    folders: dict[int, set[str]] = {}
    for video, label in items:
        folders.setdefault(label, set()).add(osp.basename(osp.dirname(video)))
    labels = sorted(folders)
    if labels != list(range(len(labels))) or any(
            len(names) > 1 or '' in names for names in folders.values()):
        raise ValueError(f'{where}: the folders of the list do not name its classes: give a file '
                         'of class names, one a line in label order, too')
    return [next(iter(folders[label])) for label in labels]


def _files(annotations: list[str]) -> list[str]:
    """Files, with folders replaced by the text files in them."""
    paths = []
    for path in annotations:
        if osp.isdir(path):
            paths += sorted(osp.join(path, name) for name in os.listdir(path)
                            if name.endswith(('.txt', '.csv')) and not name.startswith('.'))
        else:
            paths.append(path)
    if not paths:
        raise ValueError(f"no .txt or .csv file in {', '.join(annotations)}")
    return paths


@dataclass
class Family:
    """How one class set is published and kept.

    Attributes:
        read: From the published files and a split to what they hold.
        splits: Names of its splits.
        stem: Of its lists' names.
        sizes: Videos of (split, number).
        classes: How many there are.
        about: Copies of the set differ in size.
    """

    read: Callable[[list[str], str], Published]
    splits: tuple[str, ...]
    stem: str
    sizes: dict[tuple[str, int | None], int]
    classes: int
    about: bool = False

    def list_name(self, split: str, number: int | None) -> str:
        """The file of a list, as MMAction2 names it."""
        if number is None and self.stem != 'kinetics400':
            number = 1
        middle = f'{split}_list' if self.stem == 'kinetics400' else f'{split}_split_{number}'
        return f'{self.stem}_{middle}_videos.txt'

    def size(self, split: str, number: int | None) -> Official:
        """What a list should have."""
        return Official(videos=self.sizes.get((split, number)), classes=self.classes,
                        about=self.about)


FAMILIES = dict(
    kinetics400=Family(read_kinetics_files, ('val', 'train', 'test'), 'kinetics400',
                       {('val', None): 20_000, ('train', None): 246_000}, 400, about=True),
    hmdb51=Family(read_hmdb_files, ('val', 'train'), 'hmdb51',
                  {**{('val', number): 1530 for number in (1, 2, 3)},
                   **{('train', number): 3570 for number in (1, 2, 3)}}, 51),
    ucf101=Family(read_ucf_files, ('val', 'train'), 'ucf101',
                  {('val', 1): 3783, ('val', 2): 3734, ('val', 3): 3696,
                   ('train', 1): 9537, ('train', 2): 9586, ('train', 3): 9624}, 101))
