"""``mmbt cache``, run by its path."""
import runpy
import sys
from pathlib import Path

if __name__ == '__main__':
    sys.argv[1:1] = ['cache']
    runpy.run_path(str(Path(__file__).with_name('mmbt')), run_name='__main__')
