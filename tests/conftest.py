"""The order of all tests."""


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that at the end no process is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)
