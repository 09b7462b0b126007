"""One thread, a cache of the tests' own, of which nothing stays in the user's, and their order."""
import os
import tempfile

# Forks of a process whose threads have computed hang; and processes that share cores and have a
# thread for each core wait for one another.
os.environ['OMP_NUM_THREADS'] = '1'

CACHE = tempfile.TemporaryDirectory(prefix='mmbt_cache_')
os.environ.setdefault('MPLCONFIGDIR', os.path.expanduser('~/.cache/matplotlib'))  # its list of fonts
os.environ['XDG_CACHE_HOME'] = CACHE.name


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that at the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)
