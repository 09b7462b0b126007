"""Serve the JSON API of search and labels for the videos of a folder.

    mmbt serve videos/ --model branch.pth
    curl http://127.0.0.1:7860/api/search --json '{"text": "a man opens a door", "top": 3}'

docs/recipes/app.md has every route, and /api/openapi.json their schema. `mmbt app` serves the same
beside its page. What is new in the first folder is indexed at once. It needs pip install
'mmbt[app]'.
"""
import argparse

from .app import add_shared
from .app import serve as serve_both


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folders, the model, the address."""
    add_shared(parser)


def run(args: argparse.Namespace) -> None:
    """Serve the API."""
    serve_both(args, 'serve', [])
