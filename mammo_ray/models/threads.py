"""How many CPU threads the network may use in this process."""

import logging

_logger = logging.getLogger(__name__)


def limit_threads(threads: int) -> None:
    """Let TensorFlow use so many threads for one operation, and for operations side by side.

    TensorFlow fixes both when it runs its first operation; a later call cannot change them and
    says so in the log. Other backends take their number from the environment (`OMP_NUM_THREADS`,
    `XLA_FLAGS`), which the starter of the process sets.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        _logger.warning("TensorFlow is already running: its threads stay as they are")
