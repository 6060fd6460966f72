"""A real S3 server behind a proxy that can make it fail, shared by all integration tests."""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from mammo_ray import object_storage
from tests.integration.fault_proxy import FaultProxy
from tests.integration.rgw import PACKAGES, ObjectStore, missing_programs, object_store


@dataclass(frozen=True)
class S3:
    """A running store and the proxy in front of it, which lets all through until told otherwise."""

    store: ObjectStore
    proxy: FaultProxy

    @property
    def environment(self) -> dict[str, str]:
        """What leads a process to the store, through the proxy."""
        return {**self.store.environment, "AWS_ENDPOINT_URL": self.proxy.endpoint}


@pytest.fixture(scope="session")
def s3_if_there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3 | None]:
    """A store for the session; None where its programs are not installed."""
    if missing_programs():
        yield None
        return
    with ExitStack() as running:
        store = running.enter_context(object_store(tmp_path_factory.mktemp("rgw")))
        proxy = running.enter_context(FaultProxy(store.endpoint, seed=5).running())
        yield S3(store, proxy)


@pytest.fixture
def s3(s3_if_there: S3 | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The store, with this process led to it."""
    if s3_if_there is None:
        pytest.skip(
            f"NO S3 SERVER: {', '.join(missing_programs())} missing; "
            f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"
        )
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "MAMMO_S3_SSE", "MAMMO_S3_SSE_KMS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_if_there.environment.items():
        monkeypatch.setenv(name, value)
    object_storage.reconnect()
    yield s3_if_there
    object_storage.reconnect()


@pytest.fixture
def bucket(s3: S3) -> str:  # noqa: ARG001 (leads this process to the store)
    """`s3://` address of an empty bucket."""
    name = f"films-{uuid.uuid4().hex[:12]}"
    object_storage.client().create_bucket(Bucket=name)
    return f"s3://{name}"


@contextmanager
def led_to(s3: S3 | None) -> Iterator[None]:
    """Start things in an environment that leads to the store, and leave it as it was."""
    wanted = s3.environment if s3 else {}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
