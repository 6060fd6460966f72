"""Random fields that look like breast tissue, from a seeded generator.

Mammographic texture follows a power law: spectral power falls as f^-3, roughly (A E Burgess,
Medical Physics 1999, 26). Octaves of noise with amplitudes halved from one to the next come near.
"""

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]

_NIPPLE_ANGLES = 1.9  # radians to each side of the chest-wall direction that the polar map covers


def noise(shape: tuple[int, int], coarsest: float, octaves: int, rng: np.random.Generator) -> Image:
    """A smooth random field of mean 0 and standard deviation 1.

    Args:
        shape: (rows, columns).
        coarsest: wavelength of the first octave, pixels; each further octave halves it.
        octaves: how many.
        rng: source of randomness.
    """
    rows, columns = shape
    field = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(coarsest / 2**octave, 2.0)
        grid = (int(rows / step) + 3, int(columns / step) + 3)
        coarse = rng.standard_normal(grid, dtype=np.float32)
        field += 0.55**octave * cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), np.float32)


def ridges(shape: tuple[int, int], coarsest: float, rng: np.random.Generator) -> Image:
    """Thin bright curves, 0 to 1, where a random field crosses zero: septa and ligaments."""
    return np.asarray(np.exp(-((noise(shape, coarsest, 3, rng) / 0.09) ** 2)), np.float32)


def ducts(shape: tuple[int, int], nipple: tuple[float, float], rng: np.random.Generator) -> Image:
    """Noise drawn out along the lines that run to the nipple; mean 0, standard deviation 1.

    Args:
        shape: (rows, columns).
        nipple: (column, row), pixels.
        rng: source of randomness.
    """
    rows, columns = shape
    reach = float(np.hypot(rows, columns))
    # Few cells along the radius, many across it: strands that converge on the nipple.
    polar = noise((96, 256), 40, 4, rng)
    polar = cv2.resize(polar[:24], (256, 96), interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(
        np.arange(columns, dtype=np.float32) - np.float32(nipple[0]),
        np.arange(rows, dtype=np.float32) - np.float32(nipple[1]),
    )
    radius, angle = cv2.cartToPolar(-x, y)
    angle = np.where(angle > np.pi, angle - np.float32(2 * np.pi), angle)
    field = cv2.remap(
        polar,
        ((angle / np.float32(_NIPPLE_ANGLES) + 1) * 127.5).astype(np.float32),
        (radius / np.float32(reach) * 95).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(field / (field.std() + 1e-6), np.float32)
