"""`python -m mammo_ray.cli` is the command `mammo`."""

import sys

from mammo_ray.cli import main

if __name__ == "__main__":
    sys.exit(main())
