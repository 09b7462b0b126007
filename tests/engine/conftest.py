"""Fixtures that several files of tests have."""
from .states_world import kept, world  # noqa: F401  fixtures
