"""One listing of a data set: here, or by Ray tasks where its top holds many folders."""

from itertools import chain

from mammo_ray import storage
from mammo_ray.distributed.progress import follow
from mammo_ray.distributed.session import ray_session
from mammo_ray.storage import StoredFile

# A walk through fewer top folders takes less time than a start of Ray; S3 answers in about 20 ms.
_FOLDERS_FOR_RAY = 2_000
_FOLDERS_PER_TASK = 200


def list_data_set(root: str, address: str | None = None) -> list[StoredFile]:
    """Every file below a root, sorted by relative path; equal to `storage.list_files`.

    Raises:
        InputError: the root does not exist or is not a folder.
        StorageError: the listing failed.
    """
    folders, files = storage.list_top(root)
    if len(folders) < _FOLDERS_FOR_RAY:
        return storage.list_files(root)  # which also refuses a prefix that no object has
    starts = range(0, len(folders), _FOLDERS_PER_TASK)
    pieces = [folders[k : k + _FOLDERS_PER_TASK] for k in starts]
    return sorted(chain(files, *_list_on_ray(root, pieces, address)))


def _list_on_ray(root: str, pieces: list[list[str]], address: str | None) -> list[list[StoredFile]]:
    """The files of every piece, a task each; a task whose worker dies is run again."""
    with ray_session(address):
        import ray
        from ray.exceptions import RayError

        from mammo_ray.distributed.pipeline import cause_of

        task = ray.remote(num_cpus=1, max_retries=2)(_list_folders)
        waiting = [task.remote(root, piece) for piece in pieces]
        try:
            return [ray.get(one) for one in follow(waiting, len(waiting), "listing", "piece")]
        except RayError as error:
            raise cause_of(error) from error


def _list_folders(root: str, folders: list[str]) -> list[StoredFile]:
    return [file for folder in folders for file in storage.list_folder(root, folder)]
