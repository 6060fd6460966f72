"""The command `mammo train` as a Ray job.

::

    ray job submit --working-dir . -- python jobs/train.py PREPARED --out DIR
"""

import sys

from mammo_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
