"""The fingerprint of files: equal for equal content, different for different content."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from sparkify_kedro.framework.runs.fingerprint import content_fingerprint

LOCAL = fsspec.filesystem("file")


def content(path: Path | str) -> str | None:
    return content_fingerprint(LOCAL, str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    for part, text in (("a.json", "1"), ("b.json", "2")):
        (tmp_path / "log" / part).write_text(text)
    return tmp_path


def test_the_name_of_a_single_file_does_not_matter(folder: Path) -> None:
    (folder / "one.json").write_text("1")
    (folder / "other.json").write_text("1")
    (folder / "different.json").write_text("2")
    assert content(folder / "one.json") == content(folder / "other.json") != content(folder / "different.json")


def test_a_folder_and_a_glob_of_the_same_files_are_the_same(folder: Path) -> None:
    assert content(folder / "log") == content(folder / "log" / "*.json") != content(folder / "log" / "a*.json")


def test_hidden_files_are_ignored(folder: Path) -> None:
    before = content(folder / "log")
    (folder / "log" / ".a.json.crc").write_text("x")
    (folder / "log" / "_SUCCESS").write_text("")
    assert content(folder / "log") == before


@pytest.mark.parametrize("change", ["rename", "edit", "add", "swap"])
def test_a_change_in_a_folder_changes_its_fingerprint(folder: Path, change: str) -> None:
    log = folder / "log"
    before = content(log)
    if change == "rename":
        (log / "b.json").rename(log / "c.json")
    elif change == "edit":
        (log / "b.json").write_text("3")
    elif change == "add":
        (log / "c.json").write_text("")
    else:
        (log / "a.json").write_text("2")
        (log / "b.json").write_text("1")
    assert content(log) != before


def test_a_missing_path_has_no_fingerprint(folder: Path) -> None:
    assert content(folder / "nowhere.json") is None
    assert content(folder / "log" / "*.csv") is None
    (folder / "empty").mkdir()
    assert content(folder / "empty") is None


def test_remote_storage_uses_its_own_checksums() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/lineage/log.json", b"1")
    before = content_fingerprint(memory, "/lineage/log.json")
    memory.pipe("/lineage/log.json", b"22")
    assert before is not None
    assert content_fingerprint(memory, "/lineage/log.json") != before
    memory.rm("/lineage", recursive=True)
