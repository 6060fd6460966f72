"""Fixtures that every folder of tests shares."""

import os
from pathlib import Path

import pytest

from mammo_ray.distributed.environment import prepare_environment

prepare_environment(None)  # before any test module imports Ray


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real films and tables; tests that need it are skipped where it is unset."""
    folder = os.environ.get("MAMMO_REAL_DATA")
    if not folder:
        pytest.skip("MAMMO_REAL_DATA is unset: no real films here")
    return Path(folder)


@pytest.fixture(scope="session")
def real_archive(real_data: Path) -> Path:
    """The real screening archive: 264 films of 132 women."""
    return real_data / "screening_archive"
