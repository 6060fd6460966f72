"""The command `mammo ingest` as a Ray job.

::

    ray job submit --working-dir . -- python jobs/ingest.py archive ROOT --out DIR
"""

import sys

from mammo_ray.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest", *sys.argv[1:]]))
