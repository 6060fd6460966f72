"""Every exception that mammo-ray raises on purpose.

::

    MammoError                      exit code 1
    ├── UsageError                  exit code 2: the command cannot be carried out as it was given
    │   ├── ConfigError             a recipe, file or override that is not a valid configuration
    │   ├── InputError              a root, table or folder missing, unreadable, contradictory
    │   │   ├── IncompleteResult    a result folder without its `_SUCCESS` mark
    │   │   └── BundleError         a model bundle that cannot be loaded or does not fit
    │   ├── PlanMismatch            a run started again with other inputs than its plan
    │   └── PatientLeak             a split that would put one woman on both sides
    ├── StorageError                storage failed after its retries: no image is blamed
    ├── LostWork                    planned work that did not arrive: the run fails
    └── ImageRejected               one image cannot be used: a rejection row, never the end

`exit_code` is what a command returns when the exception reaches the top.
"""

from typing import ClassVar


class MammoError(Exception):
    """Root of the tree; caught at the top of every command."""

    exit_code: ClassVar[int] = 1


class UsageError(MammoError):
    """The command cannot be carried out as it was given."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A recipe, file or override that is not a valid configuration."""


class InputError(UsageError):
    """A root, table or folder that is missing, unreadable or contradictory."""


class IncompleteResult(InputError):
    """A result folder without its `_SUCCESS` mark: the run that writes it has not ended."""


class BundleError(InputError):
    """A model bundle that cannot be loaded, or that does not fit the data."""


class PlanMismatch(UsageError):
    """A run started again over a plan that was made from other inputs."""


class PatientLeak(UsageError):
    """A split or fold assignment that would share a woman between its sides."""


class StorageError(MammoError):
    """Storage failed after its retries; the run fails and no image is blamed."""


class LostWork(MammoError):
    """Planned work did not arrive although nothing reported a failure."""


class ImageRejected(MammoError):
    """One image cannot be used.

    Args:
        reason: a value of `mammo_ray.schema.RejectionReason`.
        detail: what was found and what was expected; no patient identifiers.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = str(reason)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
