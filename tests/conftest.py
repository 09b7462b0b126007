"""The order of all tests, and a cache of their own: nothing of theirs stays in the user's."""
import os
import tempfile

CACHE = tempfile.TemporaryDirectory(prefix='mmbt_cache_')
os.environ.setdefault('MPLCONFIGDIR', os.path.expanduser('~/.cache/matplotlib'))  # its list of fonts
os.environ['XDG_CACHE_HOME'] = CACHE.name


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that at the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)
