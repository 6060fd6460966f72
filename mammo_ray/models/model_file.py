"""A network as the bytes of a `.keras` file, and back without running code from the file."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mammo_ray.errors import BundleError

if TYPE_CHECKING:
    import keras

# Values that Keras writes in the place of an object; they name no class to import.
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
# Layers whose configuration holds code, or names a file or function with code.
_CODE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_PACKAGES = {"keras", "mammo_ray"}


def model_to_bytes(model: "keras.Model") -> bytes:
    """The content of a `.keras` file: architecture and weights, and the optimizer if compiled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return path.read_bytes()


def model_from_bytes(content: bytes) -> "keras.Model":
    """The network of a `.keras` file, not compiled; no code of the file runs.

    Raises:
        BundleError: not a `.keras` file, or one that holds more than layers of Keras and of this
            package.
    """
    _require_only_layers(content)
    import keras  # only here: a driver that passes a bundle on never loads TensorFlow

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        path.write_bytes(content)
        try:
            model: keras.Model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise BundleError(f"model.keras cannot be loaded: {error}") from error
    return model


def _require_only_layers(content: bytes) -> None:
    """Refuse a file that names anything but plain values and trusted classes.

    Safe mode refuses lambdas; this refuses, before Keras sees the file, everything else that is
    not a class of a trusted package.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tree = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BundleError(f"model.keras is not a .keras file: {error}") from error
    for module, class_name in _objects(tree):
        package = (module or "").partition(".")[0]
        if class_name in _CODE or (class_name not in _VALUES and package not in _PACKAGES):
            raise BundleError(
                f"model.keras holds {module or 'no module'}.{class_name}; only layers of "
                f"{' and '.join(sorted(_PACKAGES))} that carry no code are loaded"
            )


def _objects(node: object) -> Iterator[tuple[str | None, str]]:
    """Module and class of everything that a configuration tree would bring to life."""
    if isinstance(node, dict):
        if "class_name" in node:
            module = node.get("module")
            yield (module if isinstance(module, str) else None), str(node["class_name"])
        for child in node.values():
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)
