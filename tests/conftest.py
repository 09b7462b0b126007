"""One thread, and the order of all tests."""
import collections
import os

import pytest

# Forks of a process whose threads have computed hang; and processes that share cores and have a
# thread for each core wait for one another.
os.environ['OMP_NUM_THREADS'] = '1'

ALLOWED = 600
"""Seconds of CPU for all tests: five minutes on two cores, of the six that `make test` may take."""


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that at the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


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
    """Which files cost most; more than is allowed altogether fails."""
    files = collections.Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            files[report.nodeid.partition('::')[0]] += dict(
                getattr(report, 'user_properties', ())).get('cpu', 0)
    total = sum(files.values())
    terminalreporter.write_line(f'{total:.0f} CPU seconds, of which ' + ', '.join(
        f'{name} {seconds:.0f}' for name, seconds in files.most_common(8)))
    if total > ALLOWED:
        pytest.exit(f'the tests took {total:.0f} CPU seconds, {ALLOWED} are allowed: make the '
                    'longest quicker (forks of a warm process, one training for several tests)', 1)
