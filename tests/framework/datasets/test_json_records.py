"""Records of files in every format, by content, wherever they lie."""

from __future__ import annotations

import bz2
import doctest
import gzip
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow as pa
import pytest
from kedro.io.core import DatasetError
from pyspark.sql import SparkSession

from sparkify_kedro.framework.datasets import FileListDataset, JSONRecordsDataset, file_list, json_records
from sparkify_kedro.framework.files import path_of_uri

LINES = b'{"a":1,"b":"x"}\n{"a":2.0,"b":"\xc3\xa9"}\n'


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstd}


def values(path: Path) -> list[str]:
    return sorted(row.value for row in JSONRecordsDataset(filepath=str(path)).load().collect())


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        JSONRecordsDataset(filepath=str(path)).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_content_decides_and_not_the_name(spark: SparkSession, tmp_path: Path) -> None:
    """Every compression under every ending, in one folder."""
    for codec, compress in COMPRESSED.items():
        for ending in COMPRESSED:
            (tmp_path / f"as{codec}.json{ending}").write_bytes(compress(LINES))
    (tmp_path / "LOG.JSON.GZ").write_bytes(gzip.compress(LINES))
    assert values(tmp_path) == sorted(LINES.decode().splitlines() * 17)


def test_records_name_the_file_that_they_are_from(spark: SparkSession, tmp_path: Path) -> None:
    """As the list of files does, whatever is in its name, and whoever reads it: Spark or Python."""
    names = ["plain.json", "a b.json", "é [1].json", "%41#?.json", "misnamed é %20.json.bz2", "year=2018/+x.json.gz"]
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((gzip.compress if name.endswith("gz") else bytes)(b"{}\n" * (number + 1)))
        os.utime(path, (1_500_000_000 + number, 1_500_000_000.25 + number))
    records = JSONRecordsDataset(filepath=str(tmp_path)).load().select("file.*")
    rows = records.groupBy(*records.columns).count().collect()
    found = {path_of_uri(row.path): (row["count"], row.bytes, row.modified) for row in rows}
    assert found == {
        str(tmp_path / name): (number + 1, (tmp_path / name).stat().st_size, 1_500_000_000_250 + 1_000 * number)
        for number, name in enumerate(names)
    }
    listed = FileListDataset(filepath=str(tmp_path)).load().collect()
    assert sorted(map(tuple, listed)) == sorted((row.path, row.bytes, row.modified) for row in rows)


def test_an_empty_folder_has_no_files(spark: SparkSession, tmp_path: Path) -> None:
    assert FileListDataset(filepath=str(tmp_path)).load().count() == 0


def test_a_folder_is_read_with_the_folders_in_it(spark: SparkSession, tmp_path: Path) -> None:
    """Names of folders add no columns; hidden files and folders are not read."""
    for name in ("year=2018/11/a.json", "b.json", ".hidden.json", "_temporary/c.json", "d/_SUCCESS"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(json.dumps({"name": name}).encode() if name[-1] == "n" else b"")
    table = JSONRecordsDataset(filepath=str(tmp_path)).load()
    assert table.columns == ["value", "file"]
    assert sorted(row.value for row in table.collect()) == ['{"name": "b.json"}', '{"name": "year=2018/11/a.json"}']


@pytest.mark.parametrize("name", ["log [1].json", "a,b.json", "day=1.json", "é ü.json", "{x}.json", "what?.json"])
def test_a_file_is_read_whatever_its_name(spark: SparkSession, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(LINES)
    (tmp_path / "log 1.json").write_bytes(b'{"of":"the glob"}\n')
    assert values(tmp_path / name) == sorted(LINES.decode().splitlines())


def test_a_glob_names_files(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("log1.json", "log2.json", "other.json"):
        (tmp_path / name).write_text(f'"{name}"\n')
    assert values(tmp_path / "log[12].json") == ['"log1.json"', '"log2.json"']


def test_rows_of_csv_files_are_objects_of_texts(spark: SparkSession, tmp_path: Path) -> None:
    """Headers may differ from file to file; quotes, separators, ends of lines and compression are those of the file."""
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfid,name,song\r\n1,"Ada, ""A""",7.10\r\n2,,\r\n')
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"song;id;name\nx;3;Bob\n1;2\n"))
    table = JSONRecordsDataset(filepath=str(tmp_path)).load()
    assert {row.is_untyped for row in table.collect()} == {True}
    assert values(tmp_path) == [
        "a row with another number of fields than the header",
        '{"id":"1","name":"Ada, \\"A\\"","song":"7.10"}',
        '{"id":"2"}',
        '{"song":"x","id":"3","name":"Bob"}',
    ]


def test_rows_of_parquet_files_are_objects(spark: SparkSession, tmp_path: Path) -> None:
    pd.DataFrame({"id": [1, 2], "ts": [1.5e12, None], "name": ["Ada", None]}).to_parquet(tmp_path / "log.data")
    assert values(tmp_path) == ['{"id":1,"ts":1.5E12,"name":"Ada"}', '{"id":2}']


def test_nothing_is_read_from_a_folder_without_files(spark: SparkSession, tmp_path: Path) -> None:
    assert values(tmp_path) == []
    (tmp_path / "empty.json").write_bytes(b"")
    assert values(tmp_path) == []


def zipped(content: bytes, name: str, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path.read_bytes()


def test_other_formats_are_named(tmp_path: Path) -> None:
    """Without Java: the beginning of a file says what it is."""
    contents = {
        "log.json.xz": (lzma.compress(LINES), "compressed with xz: decompress it"),
        "log.zip": (zipped(LINES, "log.json", tmp_path / "z"), "a zip archive: extract it"),
        "log.xlsx": (zipped(b"", "xl/workbook.xml", tmp_path / "z"), "an Excel file: export the sheet as CSV"),
        "utf16.json": (LINES.decode().encode("utf-16"), "encoded in UTF-16: convert it to UTF-8"),
        "utf16be.json": (LINES.decode().encode("utf-16-be"), "encoded in UTF-16: convert it to UTF-8"),
        "array.json": (b'[\n {"a": 1},\n {"a": 2}]\n', "a JSON array: write one object a line"),
        "array.json.gz": (gzip.compress(b'[{"a":1}]'), "a JSON array: write one object a line"),
        "log.orc": (b"ORC\x11", "an ORC file: convert it to Parquet"),
    }
    for name, (content, expected) in contents.items():
        (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path / name).startswith(f"'{tmp_path}/{name}' is {expected}")


def test_a_folder_does_not_mix_formats(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(LINES)
    (tmp_path / "b.csv").write_bytes(b"a,b,c\n1,2,3\n")
    assert refusal(tmp_path) == (
        f"'{tmp_path}' mixes formats, CSV ('{tmp_path}/b.csv') and JSON lines ('{tmp_path}/a.json'): "
        "give each a folder of its own."
    )


def test_a_path_without_a_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no" / "*.json") == f"There is no file or folder at '{tmp_path}/no/*.json'."


@pytest.mark.parametrize("module", [json_records, file_list])
def test_the_docstring_examples_run(spark: SparkSession, module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0
