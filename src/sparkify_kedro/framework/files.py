"""The data files that a path stands for, and what is in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
from fsspec import AbstractFileSystem

Format = Literal["JSON lines", "CSV", "Parquet"]
Codec = Literal["gzip", "bz2", "zstd"]

# The column of records whose format has no types: their numbers are texts.
IS_UNTYPED = "is_untyped"
# The column with the file that a record is from: its URI as Spark writes it, its size, and the time of its last change
# (ms since the epoch).
FILE = "file"
FILE_COLUMNS = "path string, bytes bigint, modified bigint"

# What Spark's text reader decompresses by the ending of a name, in lower case only.
_ENDINGS: dict[str, Codec] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_CODECS: dict[bytes, Codec] = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_OTHERS = {
    b"\xfd7zXZ\x00": ("compressed with xz", "decompress it, or compress it with gzip, bzip2 or zstd"),
    b"PK\x03\x04": ("a zip archive", "extract it"),
    b"7z\xbc\xaf\x27\x1c": ("a 7-zip archive", "extract it"),
    b"\xd0\xcf\x11\xe0": ("an Excel file", "export the sheet as CSV"),
    b"ORC": ("an ORC file", "convert it to Parquet"),
    b"Obj\x01": ("an Avro file", "convert it to Parquet"),
    b"SQLite format 3\x00": ("an SQLite database", "export the table as CSV"),
    b"\xff\xfe": ("encoded in UTF-16", "convert it to UTF-8"),
    b"\xfe\xff": ("encoded in UTF-16", "convert it to UTF-8"),
    b"{\x00": ("encoded in UTF-16", "convert it to UTF-8"),
    b"\x00{": ("encoded in UTF-16", "convert it to UTF-8"),
}
_EXCEL = ("an Excel file", "export the sheet as CSV")
_SEPARATORS = ",;\t|"
_BEGINNING = 65_536
_BYTE_ORDER_MARK = "\ufeff"
_COLUMN = re.compile(r"\w[\w .:/()-]{0,99}")


class UnreadableFormatError(ValueError):
    """A file is nothing that can be read; the message says what it is and what to do."""


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        format: of the records.
        codec: of the compression, by the content of the file.
        is_named_so: whether the name's ending says the same of the compression, so that Spark's reader decompresses it.
        header: of a CSV file, its first line.
    """

    format: Format
    codec: Codec | None
    is_named_so: bool
    header: str = ""


def data_files(filesystem: AbstractFileSystem, path: str) -> list[str]:
    """The files of a path in order: the file, those in the folder and the folders in it, or those of a pattern.

    A file whose name has ``[`` or ``*`` in it is that file. Names that begin with a dot or an underscore are hidden, as
    they are from Spark.
    """
    if filesystem.exists(path):
        matches = [path]
    else:
        matches = filesystem.glob(path) if any(letter in path for letter in "*?[") else []
    every = {file: match for match in matches for file in filesystem.find(match)}
    return sorted(file for file, match in every.items() if not _is_hidden(file, match))


def _is_hidden(file: str, match: str) -> bool:
    below = PurePosixPath(file).parts[len(PurePosixPath(filesystem_path(match)).parts) :]
    return any(name.startswith((".", "_")) for name in (PurePosixPath(file).name, *below))


def filesystem_path(path: str) -> str:
    """A path without the protocol, as file systems list it."""
    return path.partition("://")[2] or path


def path_of_uri(uri: str) -> str:
    """The path of a URI as Spark writes it, as file systems list it."""
    path = unquote(uri)
    return re.sub("^file:/+", "/", path) if path.startswith("file:") else filesystem_path(path)


def content_of(filesystem: AbstractFileSystem, file: str) -> Content:
    """Look at the beginning of a file.

    Raises:
        UnreadableFormatError: where it is neither JSON lines nor CSV nor Parquet.
    """
    with filesystem.open(file, "rb") as stream:
        start: bytes = stream.read(_BEGINNING)
    codec = next((name for magic, name in _CODECS.items() if start.startswith(magic)), None)
    is_named_so = _ENDINGS.get(PurePosixPath(file).suffix) == codec
    beginning = _decompressed(filesystem, file, codec) if codec else start
    if beginning.startswith(b"PAR1"):
        if codec:
            raise UnreadableFormatError(f"'{file}' is a Parquet file in a {codec} file: decompress it.")
        return Content("Parquet", None, True)
    what = next((found for magic, found in _OTHERS.items() if beginning.startswith(magic)), None)
    if what:
        is_workbook = beginning.startswith(b"PK") and (b"xl/" in beginning or file.lower().endswith((".xlsx", ".xlsm")))
        raise UnreadableFormatError("'{}' is {}: {}.".format(file, *(_EXCEL if is_workbook else what)))
    text = beginning.decode("utf-8", errors="replace").removeprefix(_BYTE_ORDER_MARK).lstrip()
    if re.match(r"\[\s*(?:\{|$)", text):
        raise UnreadableFormatError(
            f"'{file}' is a JSON array: write one object a line (for instance with: jq -c '.[]' FILE)."
        )
    header = text.partition("\n")[0].rstrip("\r")
    if _is_header(header) or PurePosixPath(file).name.lower().partition(".")[2].startswith(("csv", "tsv")):
        return Content("CSV", codec, is_named_so, header)
    return Content("JSON lines", codec, is_named_so)


def separator_of(header: str) -> str:
    """The most frequent separator of a CSV file's first line."""
    return max(_SEPARATORS, key=header.count)


def columns_of(header: str) -> list[str]:
    """The names in a CSV file's first line."""
    return [name.strip() for name in next(csv.reader([header], delimiter=separator_of(header)), [])]


def read_lines(filesystem: AbstractFileSystem, file: str, codec: Codec | None, lines: int) -> Iterator[list[str]]:
    """The lines of a file, in lists of at most ``lines``.

    Raises:
        OSError: where the file is cut off or damaged.
    """
    with filesystem.open(file, "rb") as stream, io.BufferedReader(_decompressing(stream, codec)) as content:
        batch: list[str] = []
        for line in content:
            batch.append(line.rstrip(b"\r\n").decode("utf-8", errors="replace"))
            if len(batch) == lines:
                yield batch
                batch = []
        yield batch


def _decompressing(stream: io.RawIOBase, codec: Codec | None) -> io.RawIOBase:
    """What reads from the compressed stream; pyarrow's streams have the methods that ``io`` needs."""
    if codec is None:
        return stream
    opened: io.RawIOBase = pa.CompressedInputStream(stream, codec)
    return opened


def _decompressed(filesystem: AbstractFileSystem, file: str, codec: Codec) -> bytes:
    try:
        with filesystem.open(file, "rb") as stream, pa.CompressedInputStream(stream, codec) as content:
            return bytes(content.read(_BEGINNING))
    except OSError:
        return b""  # cut off or damaged: Spark's reader says so, and of which file


def _is_header(line: str) -> bool:
    """Whether a line is three and more different names, and nothing else."""
    if line.startswith(("{", "[")):
        return False
    names = columns_of(line)
    return len(names) >= 3 and len(set(names)) == len(names) and all(map(_COLUMN.fullmatch, names))
