"""What mkdocs does beside building: docstrings name code as Sphinx does, :func:`name`."""
import re

ROLE = re.compile(r':(?:func|class|meth|mod|attr|data|exc):<code>[.~]?')


def on_page_content(html, **_):
    """Show the name without the role before it."""
    return ROLE.sub('<code>', html)
