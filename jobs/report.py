"""The command `mammo report` as a Ray job.

::

    ray job submit --working-dir . -- python jobs/report.py DIR
"""

import sys

from mammo_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
