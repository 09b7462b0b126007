"""``python -m mmbt`` is the ``mmbt`` command; it imports mmbt first, which takes seconds."""
from .cli import main

if __name__ == '__main__':
    main()
