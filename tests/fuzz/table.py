"""What came of the damaged files of every door: ``PYTHONPATH=.:tests python tests/fuzz/table.py``.

Names after it choose doors by a part of their names; ``--count`` says how many files of each.
"""
import argparse
import importlib
import tempfile
from pathlib import Path

from support.fuzz import Tally, fuzz, table


def doors():
    """Every door in the ``DOORS`` of the modules beside this one."""
    for path in sorted(Path(__file__).parent.glob('test_*.py')):
        found = getattr(importlib.import_module(f'tests.fuzz.{path.stem}'), 'DOORS', [])
        yield from found.values() if isinstance(found, dict) else found


def total(tallies):
    """The sum of several tallies."""
    whole = Tally()
    for tally in tallies:
        for name in ('tried', 'accepted', 'refused', 'tracebacks', 'hung'):
            setattr(whole, name, getattr(whole, name) + getattr(tally, name))
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*')
    parser.add_argument('--count', type=int, default=100)
    args = parser.parse_args()
    tallies = {}
    for door in doors():
        if not args.names or any(name in door.name for name in args.names):
            with tempfile.TemporaryDirectory() as folder:
                tallies[door.name] = fuzz(door, Path(folder), args.count)
    print(table({**tallies, 'all': total(tallies.values())}))
    for tally in tallies.values():
        for fault in tally.faults:
            print(fault)


if __name__ == '__main__':
    main()
