"""Gray levels of a prepared image."""

import cv2
import numpy as np

from mammo_ray.config import ClaheConfig
from mammo_ray.preprocess.geometry import Gray


def apply_clahe(image: Gray, config: ClaheConfig) -> Gray:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).

    Args:
        image: (rows, columns) uint8 or uint16.
        config: clip limit and tiles a side.
    """
    clahe = cv2.createCLAHE(config.clip_limit, (config.tiles, config.tiles))
    equalised: Gray = np.asarray(clahe.apply(np.ascontiguousarray(image)))
    return equalised
