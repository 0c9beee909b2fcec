"""What is in the files that a run reads, in a few letters."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from fsspec import AbstractFileSystem


def content_of(filesystem: AbstractFileSystem, path: str) -> str | None:
    """A hash of what is in a file, in the files of a folder, or in those that a glob finds.

    A file's own name does not count, those of files in a folder do; files that Spark does not read (hidden ones) are
    left out. On storage that is not this machine's, the storage's own checksums stand for the contents, which can be
    too much to read twice.

    Returns:
        None where there is no file.
    """
    found = filesystem.glob(path) if any(letter in path for letter in "*?[") else [path]
    every = sorted({file for each in found if filesystem.exists(each) for file in filesystem.find(each)})
    files = [file for file in every if not PurePosixPath(file).name.startswith((".", "_"))]
    if not files:
        return None
    if len(files) == 1:
        return _content(filesystem, files[0])[:16]
    listing = "".join(f"{PurePosixPath(file).name} {_content(filesystem, file)}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def _content(filesystem: AbstractFileSystem, file: str) -> str:
    if "file" not in filesystem.protocol:
        return str(filesystem.checksum(file))
    with filesystem.open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
