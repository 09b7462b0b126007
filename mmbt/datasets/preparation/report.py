"""What was prepared, beside what the set should have."""
from dataclasses import dataclass, field

from mmbt.files.shown import printable

FEW = 5


@dataclass
class Official:
    """The size of a published split; None where nobody says.

    Attributes:
        videos: Videos of the split.
        captions: Captions of the split.
        classes: Classes of the set.
        about: The numbers are rounded: copies of the set differ.
    """

    videos: int | None = None
    captions: int | None = None
    classes: int | None = None
    about: bool = False


@dataclass
class Counts:
    """What one list of a set holds.

    Attributes:
        title: Set and split.
        folder: Where the videos were looked for.
        rows: Rows, entries or lines that were read.
        videos: Different videos.
        there: Of these, videos that are there.
        captions: Captions of all videos.
        fewest, most: Captions of a video.
        classes: Classes of the set.
        missing: The first few of the videos that are not there.
        missing_file: The file that names all of them.
        written: The list that was written.
        kept: Videos in it.
        official: What the set should have.
        notes: Lines to add.
    """

    title: str
    folder: str
    rows: int = 0
    videos: int = 0
    there: int = 0
    captions: int | None = None
    fewest: int = 0
    most: int = 0
    classes: int | None = None
    missing: list = field(default_factory=list)
    missing_file: str | None = None
    written: str | None = None
    kept: int = 0
    official: Official = field(default_factory=Official)
    notes: list = field(default_factory=list)

    def add(self, video: str, there: bool, captions: int | None = None) -> None:
        """Count a video."""
        self.videos += 1
        self.there += there
        if not there and len(self.missing) < FEW:
            self.missing.append(video)
        if captions is not None:
            self.fewest = min(self.fewest, captions) if self.captions is not None else captions
            self.most = max(self.most, captions)
            self.captions = (self.captions or 0) + captions

    def differences(self) -> list[str]:
        """Say where the counts are not the official ones; a rounded one may be 5 % off."""
        found = []
        for what in ('videos', 'captions', 'classes'):
            ours, theirs = getattr(self, what), getattr(self.official, what)
            if theirs is None or ours is None:
                continue
            if abs(ours - theirs) > (0.05 * theirs if self.official.about else 0):
                found.append(f'{ours:,} {what} instead of {_about(self.official)}{theirs:,}')
        return found

    def lines(self) -> list[str]:
        """The report, a line a fact."""
        said = [f'{self.rows:,} rows', f'{self.videos:,} videos']
        if self.captions is not None:
            each = f'{self.fewest} to {self.most}' if self.most > self.fewest else f'{self.most}'
            said.append(f'{self.captions:,} captions ({each} a video)')
        if self.classes is not None:
            said.append(f'{self.classes:,} classes')
        lines = [f"{self.title}: {', '.join(said)}"]
        official = [f'{getattr(self.official, what):,} {what}' for what in (
            'videos', 'captions', 'classes') if getattr(self.official, what) is not None]
        if official:
            verdict = '; '.join(self.differences()) or 'as many here'
            lines.append(f"  official: {_about(self.official)}{', '.join(official)}: {verdict}")
        gone = self.videos - self.there
        lines.append(f'  there: {self.there:,} of {self.videos:,} videos in {self.folder}')
        if gone:
            more = ', ...' if gone > len(self.missing) else ''
            lines.append(f"  missing: {gone:,}, all named in {self.missing_file}: "
                         f"{', '.join(map(printable, self.missing))}{more}")
        if self.written:
            lines.append(f'  wrote {self.written}: {self.kept:,} videos')
            if gone and self.kept == self.videos:
                lines.append('  the missing ones are in it; training skips them, a test stops at '
                             'the first: fetch them, or leave them out with --drop-missing')
        return lines + [f'  {note}' for note in self.notes]


def _about(official: Official) -> str:
    return 'about ' if official.about else ''
