"""One thread, and the order of all tests."""
import os

# Forks of a process whose threads have computed hang; and processes that share cores and have a
# thread for each core wait for one another.
os.environ['OMP_NUM_THREADS'] = '1'


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that at the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)
