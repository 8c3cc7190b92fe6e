"""`python -m optbench`, as the command `optbench`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
