"""Plans and parts: the exactly-once bookkeeping of prepare and score.

A plan cuts the sorted image ids into shards; shard k becomes exactly one object
`images/part-<k>.parquet`, put atomically. What is there is done, what is missing is to do: a crash,
a retry or a second start can neither lose nor duplicate a row.
"""

import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq

from mammo_ray import storage
from mammo_ray.config import DataConfig, digest_of
from mammo_ray.errors import InputError, LostWork, PlanMismatch
from mammo_ray.prepared import add_digests
from mammo_ray.schema import REJECTIONS, SCHEMA_VERSION

_SHARDS_PER_CPU = 8
# A prepared image takes 30 to 800 ms of one CPU, so this many take one to five minutes or less.
_MOST_IMAGES = 600
_MOST_PART_BYTES = 256 * 2**20
_FOOTER_READERS = 16
_PART_NAME = re.compile(r"part-(\d{5,})\.parquet")


@dataclass(frozen=True)
class Plan:
    """What a run will do, written before it starts.

    Attributes:
        stage: `prepare` or `score`.
        digests: of everything that decides the result: manifest, configuration, model.
        shards: image ids, sorted, cut into shards.
        batch_size: fixed, padded batch of the predictor; 0 where nothing is predicted.
    """

    stage: str
    digests: dict[str, str]
    shards: tuple[tuple[str, ...], ...]
    batch_size: int = 0
    schema_version: str = SCHEMA_VERSION

    @property
    def images(self) -> int:
        """How many images are planned."""
        return sum(len(shard) for shard in self.shards)

    @property
    def image_ids(self) -> list[str]:
        """Every planned image, sorted."""
        return sorted(image for shard in self.shards for image in shard)

    @property
    def digest(self) -> str:
        """Digest of the whole plan; every part carries it."""
        return digest_of(asdict(self))


@dataclass(frozen=True)
class PartFacts:
    """What the footer of a part says of its shard."""

    shard: int
    plan_digest: str
    planned: int
    rejected: int
    content_digest: str
    blank: int = 0
    masks: int = 0
    masks_left_out: int = 0


def cut_shards(rows: pa.Table, data: DataConfig, cpus: int, part_bytes: int) -> list[list[str]]:
    """Sorted image ids cut into shards of nearly equal length.

    Args:
        rows: `image_id` and `bytes` of the manifest.
        data: `shard_images` fixes the length; else sizes decide.
        cpus: of the cluster; each gets at least 8 shards where there are that many images.
        part_bytes: uncompressed size of one image in its part.
    """
    ids = sorted(rows.column("image_id").to_pylist())
    if not ids:
        return []
    if data.shard_images:
        count = math.ceil(len(ids) / data.shard_images)
    else:
        total = sum(size or 0 for size in rows.column("bytes").to_pylist())
        count = max(
            math.ceil(total / (data.shard_megabytes * 10**6)),
            math.ceil(len(ids) * part_bytes / _MOST_PART_BYTES),
            math.ceil(len(ids) / _MOST_IMAGES),
            min(len(ids), _SHARDS_PER_CPU * cpus),
        )
    edges = [round(k * len(ids) / count) for k in range(count + 1)]
    return [ids[start:end] for start, end in pairwise(edges) if end > start]


def open_plan(folder: str, plan: Plan) -> Plan:
    """The plan of a folder: the one that stands there when its digests agree, else this one.

    Raises:
        PlanMismatch: the folder was planned from other inputs, or plans other images than the
            manifest has; the differences are named.
        InputError: its `plan.json` cannot be read.
    """
    uri = storage.join(folder, "plan.json")
    try:
        standing = _parse_plan(storage.read_bytes(uri), uri)
    except FileNotFoundError:
        storage.write_text(uri, json.dumps(asdict(plan), indent=0) + "\n")
        return plan
    differences = [
        f"{name} was {standing.digests.get(name)}, is {plan.digests.get(name)}"
        for name in sorted({*standing.digests, *plan.digests})
        if standing.digests.get(name) != plan.digests.get(name)
    ]
    if standing.stage != plan.stage:
        differences.append(f"stage was {standing.stage}, is {plan.stage}")
    if not differences and standing.image_ids != plan.image_ids:
        differences.append(f"it plans {standing.images} images, the manifest has {plan.images}")
    if differences:
        raise PlanMismatch(
            f"{folder} holds a run over other inputs ({'; '.join(differences)}): "
            "give another --out, or remove the folder"
        )
    return standing


def _parse_plan(content: bytes, uri: str) -> Plan:
    """A plan from its file.

    Raises:
        InputError: not a plan of this version.
    """
    try:
        tree = json.loads(content)
        tree["shards"] = tuple(tuple(shard) for shard in tree["shards"])
        return Plan(**tree)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{uri} is not a plan of mammo-ray: {error}") from error


def part_uri(folder: str, shard: int) -> str:
    """Where shard k's rows go."""
    return storage.join(folder, "images", f"part-{shard:05d}.parquet")


def rejections_uri(folder: str, shard: int) -> str:
    """Where shard k's rejections go."""
    return storage.join(folder, "rejections", f"rejections-{shard:05d}.parquet")


def put_part(folder: str, facts: PartFacts, table: pa.Table, rejections: pa.Table) -> None:
    """Put a shard's rejections, then its part, each whole."""
    if rejections.num_rows:
        storage.write_table(rejections_uri(folder, facts.shard), rejections)
    metadata = {**(table.schema.metadata or {}), b"mammo_part": json.dumps(asdict(facts)).encode()}
    storage.write_table(part_uri(folder, facts.shard), table.replace_schema_metadata(metadata))


def finished_shards(folder: str) -> set[int]:
    """Shards whose part is there, from one listing."""
    try:
        files = storage.list_files(storage.join(folder, "images"))
    except InputError:
        return set()
    names = (_PART_NAME.fullmatch(file.relative_path) for file in files)
    return {int(name[1]) for name in names if name}


def read_part_facts(folder: str, shard: int) -> PartFacts:
    """The footer of one part.

    Raises:
        LostWork: the object under the part's name is not a part of a plan.
    """
    filesystem, path = storage.filesystem_of(part_uri(folder, shard))
    try:
        metadata = pq.read_schema(path, filesystem=filesystem).metadata or {}
        return PartFacts(**json.loads(metadata[b"mammo_part"]))
    except FileNotFoundError as error:
        raise LostWork(f"part {shard} is missing") from error
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise LostWork(f"part {shard} is there but is no part of this plan: {error}") from error


def settle(folder: str, plan: Plan) -> list[PartFacts]:
    """Check every part against the plan and merge the rejections into one table.

    A shard whose rejections are gone is taken back, so that the next start does it again.

    Raises:
        LostWork: a part is missing, belongs to another plan, or holds another number of rows;
            or something that is no part of the plan lies among the parts.
    """
    _require_only_parts(folder, plan)
    with ThreadPoolExecutor(_FOOTER_READERS) as readers:
        facts = list(readers.map(lambda k: read_part_facts(folder, k), range(len(plan.shards))))
    for shard, ids in zip(facts, plan.shards, strict=True):
        if shard.plan_digest != plan.digest or shard.planned != len(ids):
            raise LostWork(f"part {shard.shard} belongs to another plan than {plan.digest}")
    with_rejections = [f.shard for f in facts if f.rejected]
    _take_back(
        [k for k in with_rejections if not storage.exists(rejections_uri(folder, k))], folder
    )
    tables = [storage.read_table(rejections_uri(folder, k)) for k in with_rejections]
    merged = pa.concat_tables([REJECTIONS.empty_table(), *tables])
    if merged.num_rows != sum(f.rejected for f in facts):
        raise LostWork("the rejection rows do not add up to what the parts say")
    storage.write_table(storage.join(folder, "rejections.parquet"), merged)
    return facts


def _require_only_parts(folder: str, plan: Plan) -> None:
    """Nothing but the plan's parts may lie in `images`.

    Names that start with a dot or an underscore are nobody's part: a writer's temporary file, or
    what a desktop leaves; readers of datasets pass over them too.
    """
    if not plan.shards:
        return
    expected = {part_uri(folder, k) for k in range(len(plan.shards))}
    extra = [f for f in storage.list_files(storage.join(folder, "images")) if f.uri not in expected]
    for file in extra:
        if not file.relative_path.startswith((".", "_")):
            raise LostWork(
                f"{folder}/images holds {file.relative_path}, which is no part of the plan: "
                "readers would take it for one; remove it"
            )


def _take_back(shards: list[int], folder: str) -> None:
    for shard in shards:
        storage.delete(part_uri(folder, shard))
    if shards:
        raise LostWork(
            f"the rejections of {len(shards)} shards were gone; start the command again to "
            "do these shards again"
        )


def run_digest(facts: list[PartFacts]) -> str:
    """Content digest of all rows: equal for equal rows, however the run went and was cut."""
    return add_digests([part.content_digest for part in facts])
