"""What was checked and found, kept in the manifest itself and carried by every metric.

A certificate names the manifest's digest, and has a digest of its own. It holds no date: checking
the same rows again gives the same certificate.
"""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mammo_ray import __version__, storage
from mammo_ray.config import digest_of
from mammo_ray.datasets.checks.finding import Finding, is_finding
from mammo_ray.errors import InputError

UNCHECKED = "unchecked"
_KEY = b"certificate"
_SCHEMA_VERSION = "1"
# As `storage.write_table` writes them.
_COMPRESSION, _LEVEL = "zstd", 1


def make_certificate(
    manifest_digest: str, answers: list[Finding], *, pixels: bool
) -> dict[str, Any]:
    """The certificate of a manifest.

    Args:
        manifest_digest: names the rows that were checked.
        answers: of every check that had something to say.
        pixels: whether every file was decoded.
    """
    content = {
        "schema_version": _SCHEMA_VERSION,
        "manifest_digest": manifest_digest,
        "code_version": __version__,
        "pixels": pixels,
        "findings": {str(a.check): a.count for a in answers if is_finding(a)},
        "notes": {str(a.check): a.count for a in answers if not is_finding(a)},
    }
    return {**content, "digest": digest_of(content)}


def write_certificate(uri: str, certificate: dict[str, Any]) -> None:
    """Put a certificate into the metadata of a manifest; its rows and their digest stay.

    The file is rewritten row group by row group, and takes its place at once.

    Raises:
        InputError: not Parquet.
        StorageError: the file could not be replaced; the old one stays.
    """
    filesystem, path = storage.filesystem_of(uri)
    sink = pa.BufferOutputStream()
    try:
        with filesystem.open_input_file(path) as source, pq.ParquetFile(source) as file:
            schema = file.schema_arrow
            text = json.dumps(certificate, sort_keys=True).encode()
            stamped = schema.with_metadata({**(schema.metadata or {}), _KEY: text})
            with pq.ParquetWriter(
                sink, stamped, compression=_COMPRESSION, compression_level=_LEVEL
            ) as writer:
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group).replace_schema_metadata(stamped.metadata)
                    writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{uri} cannot be read as Parquet: {error}") from error
    storage.write_bytes(uri, sink.getvalue().to_pybytes())


def read_certificate(uri: str) -> dict[str, Any] | None:
    """The certificate of a manifest; None where it has none, or one of other rows or other words.

    Raises:
        InputError: not Parquet.
    """
    metadata = storage.read_schema(uri).metadata or {}
    try:
        certificate = json.loads(metadata[_KEY])
    except (KeyError, ValueError):
        return None
    if not isinstance(certificate, dict):
        return None
    content = {name: value for name, value in certificate.items() if name != "digest"}
    is_whole = certificate.get("digest") == digest_of(content)
    rows = metadata.get(b"manifest_digest", b"").decode()
    return certificate if is_whole and certificate.get("manifest_digest") == rows else None


def certificate_words(certificate: dict[str, Any] | None) -> str:
    """A certificate as the one line that stands beside every metric; `unchecked` for none."""
    if certificate is None:
        return UNCHECKED
    findings = certificate["findings"]
    listed = ", ".join(f"{name} {count}" for name, count in sorted(findings.items()))
    depth = "with pixels" if certificate["pixels"] else "without pixels"
    return f"{certificate['digest']}: checked {depth}, {listed or 'no findings'}"
