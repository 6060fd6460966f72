"""The command `mammo score` as a Ray job.

::

    ray job submit --working-dir . -- python jobs/score.py ARCHIVE --model BUNDLE --out DIR
"""

import sys

from mammo_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
