"""One thread, a cache of the tests' own, their order, and what they cost."""
import collections
import gc
import os
import tempfile

import pytest

# Forks of a process whose threads have computed hang; and processes that share cores and have a
# thread for each core wait for one another.
os.environ['OMP_NUM_THREADS'] = '1'

# Nothing of the tests stays in the user's cache; matplotlib's list of fonts takes long to make.
CACHE = tempfile.TemporaryDirectory(prefix='mmbt_cache_')
os.environ.setdefault('MPLCONFIGDIR', os.path.expanduser('~/.cache/matplotlib'))
os.environ['XDG_CACHE_HOME'] = CACHE.name


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that at the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


def pytest_collection_finish():
    """What was imported stays: no collection looks through it again, here or in forks."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    """At the end libraries look for what they have not given back."""
    gc.unfreeze()


def cpu_seconds():
    """What this process and those that it has waited for have computed."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Keep what a test and its fixtures cost, in a file's first test what the file's do."""
    item.cpu_begin = cpu_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Tell it with the report, which comes from the process that ran the test."""
    report = yield
    if call.when == 'teardown':
        report.user_properties = [*report.user_properties,
                                  ('cpu', cpu_seconds() - item.cpu_begin)]
    return report


def pytest_terminal_summary(terminalreporter):
    """Say which files cost most: `make test` is to stay under six minutes on two cores."""
    files = collections.Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            files[report.nodeid.partition('::')[0]] += dict(
                getattr(report, 'user_properties', ())).get('cpu', 0)
    total = sum(files.values())
    terminalreporter.write_line(f'{total:.0f} CPU seconds, of which ' + ', '.join(
        f'{name} {seconds:.0f}' for name, seconds in files.most_common(8)))
