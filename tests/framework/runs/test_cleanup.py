"""Leftovers of killed writes are removed; complete versions, foreign files and active runs are not touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog

from sparkify_kedro.cli import cli
from sparkify_kedro.framework.runs.cleanup import Leftover, find_leftovers
from sparkify_kedro.framework.runs.locks import RunLocks

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"
HEX = "0123456789abcdef" * 2
TABLE = "data/04_feature/user_time_bins"
NOTE = "user_time_bins.provenance.json"
CHAMPION = "data/06_models/will_churn_soon/champion"
JSON = "data/06_models/will_churn_soon/champion_selection.json"
LOG = "data/01_raw/simulated_events"
JSON_DRAFT = f"{JSON}/{NEW}/.writing.{HEX}.champion_selection.json"
RESULTS = "data/08_reporting/experiments/results.json"
RESULTS_DRAFT = f"data/08_reporting/experiments/.writing.{HEX}.results.json"
DRAFT = f"data/01_raw/.simulated_events.{HEX}.writing"


def write(project: Path, *names: str) -> None:
    for name in names:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def files(project: Path) -> dict[str, str]:
    """What lies in the project's storage, and what is in it; but no empty folder of a version may be left."""
    assert not [path for path in (project / "data").rglob("*.000Z") if not any(path.iterdir())]
    return {
        str(path.relative_to(project)): path.read_text()
        for path in (project / "data").rglob("*")
        if path.is_file() and path.name != ".mutex"
    }


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]) -> Path:
    """A copy of the project, one for all."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def catalog(copied: Path) -> DataCatalog:
    with KedroSession.create(project_path=copied) as session:
        return session.load_context().catalog


@pytest.fixture
def project(copied: Path) -> Path:
    """The copy of the project, without data."""
    shutil.rmtree(copied / "data", ignore_errors=True)
    return copied


@pytest.fixture
def found(project: Path, catalog: DataCatalog) -> Callable[[], list[Leftover]]:
    """Finds what has been left in the project."""
    return lambda: find_leftovers(catalog, RunLocks(project))


@pytest.fixture
def clear(project: Path, found: Callable[[], list[Leftover]]) -> Callable[[], list[str]]:
    """Clears what has been left in the project, and tells where it lay."""

    def clear_all() -> list[str]:
        left = found()
        for each in left:
            each.clear()
        return [str(each.path.relative_to(project)) for each in left]

    return clear_all


@pytest.fixture
def complete(project: Path) -> dict[str, str]:
    """A complete version of everything: a table, a model with its card, a card without a model, a file, a log."""
    write(
        project,
        f"{TABLE}/{OLD}/user_time_bins/part-0.parquet",
        f"{TABLE}/{OLD}/user_time_bins/_SUCCESS",
        f"{TABLE}/{OLD}/{NOTE}",
        f"{CHAMPION}/{OLD}/champion/metadata/part-0",
        f"{CHAMPION}/{OLD}/champion/_SUCCESS",
        f"{CHAMPION}/{OLD}/model_card.md",
        f"{CHAMPION}/2026-01-01T12.00.00.000Z/model_card.md",
        f"{JSON}/{OLD}/champion_selection.json",
        f"{LOG}/part-0.json.gz",
        RESULTS,
        "data/08_reporting/run_summary.json/2026-01-01T00.00.00.000Z/run_summary.json",
    )
    return files(project)


def test_without_killed_runs_there_are_no_leftovers(
    project: Path, complete: dict[str, str], clear: Callable[[], list[str]]
) -> None:
    assert clear() == []
    assert files(project) == complete


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ([f"{TABLE}/{NEW}/user_time_bins/part-0.parquet"], f"{TABLE}/{NEW}/user_time_bins"),
        ([f"{TABLE}/{NEW}/user_time_bins/_temporary/0/part-0"], f"{TABLE}/{NEW}/user_time_bins"),
        ([f"{CHAMPION}/{NEW}/champion/metadata/_SUCCESS"], f"{CHAMPION}/{NEW}/champion"),
        (
            [JSON_DRAFT],
            JSON_DRAFT,
        ),
        ([f"{TABLE}/{NEW}/.writing.{HEX}.{NOTE}"], f"{TABLE}/{NEW}/.writing.{HEX}.{NOTE}"),
        ([f"{TABLE}/{NEW}/{NOTE}"], f"{TABLE}/{NEW}/{NOTE}"),
        ([f"{CHAMPION}/{NEW}/.writing.{HEX}.model_card.md"], f"{CHAMPION}/{NEW}/.writing.{HEX}.model_card.md"),
        ([f"{TABLE}/{NEW}/.removing.{HEX}.user_time_bins/_SUCCESS"], f"{TABLE}/{NEW}/.removing.{HEX}.user_time_bins"),
        ([RESULTS_DRAFT], RESULTS_DRAFT),
        ([f"{DRAFT}/_log/part-0.json.gz"], DRAFT),
        ([f"{DRAFT}.replaced/part-0.json.gz"], f"{DRAFT}.replaced"),
        ([f"data/.running/{NEW}.{HEX}.json"], f"data/.running/{NEW}.{HEX}.json"),
        ([f"data/.running/.{NEW}.{HEX}.pending"], f"data/.running/.{NEW}.{HEX}.pending"),
    ],
    ids=[
        "table",
        "table begun",
        "model",
        "file",
        "note begun",
        "note",
        "text",
        "removal",
        "file without versions",
        "log",
        "old log",
        "announcement",
        "announcing",
    ],
)
def test_leftovers_are_removed_and_complete_versions_stay(
    project: Path, complete: dict[str, str], names: list[str], place: str, clear: Callable[[], list[str]]
) -> None:
    write(project, *names)
    assert clear() == [place]
    assert files(project) == complete


def test_an_empty_version_is_removed(project: Path, complete: dict[str, str], clear: Callable[[], list[str]]) -> None:
    (project / JSON / NEW).mkdir()
    assert clear() == [f"{JSON}/{NEW}"]
    assert files(project) == complete


def test_an_incomplete_model_is_removed_and_its_card_stays(
    project: Path, complete: dict[str, str], clear: Callable[[], list[str]]
) -> None:
    write(project, f"{CHAMPION}/{NEW}/model_card.md", f"{CHAMPION}/{NEW}/champion/stages/0")
    assert clear() == [f"{CHAMPION}/{NEW}/champion"]
    assert files(project) == complete | {f"{CHAMPION}/{NEW}/model_card.md": f"{CHAMPION}/{NEW}/model_card.md"}


def test_a_log_moved_by_an_interrupted_replacement_is_restored(
    project: Path, clear: Callable[[], list[str]], found: Callable[[], list[Leftover]]
) -> None:
    write(project, f"{DRAFT}/_log/part-0.json.gz", f"{DRAFT}.replaced/part-0.json.gz")
    assert [each.restore_to for each in found()] == [None, project / LOG]
    clear()
    assert files(project) == {f"{LOG}/part-0.json.gz": f"{DRAFT}.replaced/part-0.json.gz"}


def test_foreign_files_are_not_touched(project: Path, complete: dict[str, str], clear: Callable[[], list[str]]) -> None:
    """Names that no write of ours makes, datasets that are in no catalog, and logs that people have laid there."""
    write(
        project,
        f"{TABLE}/{NEW}/notes.txt",
        f"{TABLE}/my_copy/user_time_bins/part-0.parquet",
        f"{JSON}/{OLD}/.writing.champion_selection.json",
        f"{JSON}/{OLD}/.writing.{HEX}.other.json",
        f"data/04_feature/banana/{NEW}/banana/part-0.parquet",
        f"data/01_raw/.other_log.{HEX}.writing/part-0",
        "data/01_raw/log/.writing.x",
        "data/.running/notes.txt",
    )
    before = files(project)
    assert clear() == []
    assert files(project) == before


def test_links_are_not_followed(
    project: Path, complete: dict[str, str], tmp_path: Path, clear: Callable[[], list[str]]
) -> None:
    """A version, a folder of versions and a draft that lie elsewhere are left, with what they link to."""
    elsewhere = tmp_path / "elsewhere"
    write(
        elsewhere,
        f"{NEW}/user_time_bins/part-0.parquet",
        f"{NEW}/champion_selection.json/part-0",
        f"{NEW}/train/part-0",
    )
    (project / TABLE / NEW).symlink_to(elsewhere / NEW)
    (project / JSON / OLD / f".writing.{HEX}.champion_selection.json").symlink_to(elsewhere / NEW)
    (project / RESULTS_DRAFT).symlink_to(elsewhere / NEW / "champion_selection.json/part-0")
    (project / "data/05_model_input/will_churn_soon").mkdir(parents=True)
    (project / "data/05_model_input/will_churn_soon/train").symlink_to(elsewhere)
    assert clear() == []
    assert len(list(elsewhere.rglob("part-0*"))) == 3


def test_a_link_in_a_leftover_is_removed_and_its_target_stays(
    project: Path, tmp_path: Path, clear: Callable[[], list[str]]
) -> None:
    write(tmp_path, "precious/part-0")
    write(project, f"{TABLE}/{NEW}/user_time_bins/part-0.parquet")
    (project / TABLE / NEW / "user_time_bins" / "link").symlink_to(tmp_path / "precious")
    clear()
    assert not (project / TABLE / NEW).exists()
    assert (tmp_path / "precious" / "part-0").exists()


def test_files_of_an_active_run_are_not_touched(
    project: Path, complete: dict[str, str], clear: Callable[[], list[str]]
) -> None:
    """Its versions, and drafts of a log, which may be its own; the leftover files of others are."""
    announcement = RunLocks(project).acquire(NEW, dict)
    theirs = "2026-01-03T00.00.00.000Z"
    write(project, *(f"{TABLE}/{version}/user_time_bins/part-0.parquet" for version in (NEW, theirs)))
    write(project, JSON_DRAFT, f"{DRAFT}/_log/part-0.json.gz")
    assert clear() == [f"{TABLE}/{theirs}/user_time_bins"]

    announcement.release()
    assert len(clear()) == 3
    assert files(project) == complete


@pytest.fixture
def _within(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


@pytest.mark.usefixtures("_within")
def test_the_command_lists_leftovers_and_the_total(project: Path, complete: dict[str, str]) -> None:
    """Once without doing it; then it does."""
    announcement = RunLocks(project).acquire(OLD, dict)
    write(project, f"{TABLE}/{NEW}/user_time_bins/part-0.parquet", JSON_DRAFT)
    before = files(project)

    listing = CliRunner().invoke(cli, ["runs", "clean", "--dry-run"]).output
    assert f"the active run {OLD}" in listing
    assert f"{TABLE}/{NEW}/user_time_bins: incomplete version\n" in listing
    assert f"{JSON_DRAFT}: draft of a file\n" in listing
    assert "2 leftover files would be removed" in listing
    assert files(project) == before

    announcement.release()
    assert "2 leftover files removed" in CliRunner().invoke(cli, ["runs", "clean"]).output
    assert files(project) == complete
    assert "0 leftover files removed" in CliRunner().invoke(cli, ["runs", "clean"]).output


@pytest.mark.usefixtures("_within")
def test_the_command_uses_the_paths_of_earlier_runs(project: Path) -> None:
    write(project, f"data/01_raw/.mine.{HEX}.writing/_log/part-0")
    assert "0 leftover files" in CliRunner().invoke(cli, ["runs", "clean"]).output
    words = ["runs", "clean", "--params=simulated_events=data/01_raw/mine"]
    assert "1 leftover file removed" in CliRunner().invoke(cli, words).output
    assert files(project) == {}


@pytest.mark.usefixtures("_within")
def test_a_missing_environment_is_reported_in_one_sentence(project: Path) -> None:
    done = CliRunner().invoke(cli, ["runs", "clean", "--env=banana"])
    assert done.exit_code == 1
    assert done.output.rstrip().splitlines()[-1].startswith("Error: ")
    assert "banana" in done.output
