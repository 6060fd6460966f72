"""What an exam must hold to count as scored, and what a model may speak about."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mammo_ray.schema import Laterality, Protocol, ViewPosition

# The views that a protocol can ask for, and the axes of every (exam, side, view) array here.
SIDES: tuple[str, str] = (Laterality.LEFT, Laterality.RIGHT)
VIEWS: tuple[str, str] = (ViewPosition.CC, ViewPosition.MLO)


@dataclass(frozen=True)
class Scope:
    """What a model was validated on; anything else that is known about an image is out of scope.

    Attributes:
        image_kinds: values of `mammo_ray.schema.ImageKind`.
        implants: whether breasts with an implant were among the validation images.
    """

    image_kinds: frozenset[str]
    implants: bool


def required_views(protocol: Protocol, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The views that each exam must have scored.

    `unilateral` asks for CC and MLO of every side that has any image: a side that was begun must
    be whole, or half of a bilateral exam would pass. `any` asks for no view in particular.

    Args:
        protocol: the protocol of the run.
        present: (exam, side), whether the side has any image, usable or not, in any view.

    Returns:
        (exam, side, view) in the order of `SIDES` and `VIEWS`.
    """
    required = np.zeros((len(present), len(SIDES), len(VIEWS)), dtype=bool)
    match protocol:
        case Protocol.FOUR_VIEW:
            required[:] = True
        case Protocol.MLO_ONLY:
            required[:, :, VIEWS.index(ViewPosition.MLO)] = True
        case Protocol.UNILATERAL:
            required[:] = present[:, :, np.newaxis]
        case Protocol.ANY:
            pass
    return required
