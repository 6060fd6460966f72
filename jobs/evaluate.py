"""The command `mammo evaluate` as a Ray job.

::

    ray job submit --working-dir . -- python jobs/evaluate.py SCORES --model BUNDLE --out DIR
"""

import sys

from mammo_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
