"""Threads: a limit that comes too late is told, never silently ignored."""

import logging

import keras
import pytest

from mammo_ray.models.threads import limit_threads


def test_a_limit_after_the_first_operation_is_told(caplog: pytest.LogCaptureFixture) -> None:
    keras.ops.convert_to_numpy(keras.ops.ones(1))  # TensorFlow is running now
    with caplog.at_level(logging.WARNING):
        limit_threads(37)
    assert "its threads stay as they are" in caplog.text
