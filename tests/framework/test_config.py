"""The configuration is read once, as long as nothing that it depends on changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession


def test_a_part_is_read_once_and_returned_as_a_copy(project: Path) -> None:
    with KedroSession.create(project_path=project) as session:
        loader = session.load_context().config_loader
        storage = loader["globals"]["storage"]
        (project / "conf/local/globals.yml").write_text("storage: elsewhere\n")
        loader["parameters"]["runs"]["keep_versions"] = -1
        assert loader["globals"]["storage"] == storage != "elsewhere"
        assert loader["parameters"]["runs"]["keep_versions"] > 0
    with KedroSession.create(project_path=project) as session:
        assert session.load_context().config_loader["globals"]["storage"] == "elsewhere"


def test_changed_files_and_environment_variables_count_in_the_next_session(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the environment that is asked for, and of base where that names nothing."""

    def keep(env: str) -> int:
        with KedroSession.create(project_path=project, env=env) as session:
            return int(session.load_context().config_loader["parameters"]["runs"]["keep_versions"])

    base = keep("local")
    path = project / "conf/local/parameters_runs.yml"
    for own in (base + 1, base + 2):
        path.write_text(f"runs: {{keep_versions: {own}}}\n")
        assert keep("local") == own
        assert keep("base") == base
    path.write_text("runs: {keep_versions: '${oc.env:KEPT}'}\n")
    for own in ("7", "8"):
        monkeypatch.setenv("KEPT", own)
        assert keep("local") == int(own)


def test_parameters_of_the_command_line_are_part_of_it(project: Path) -> None:
    with KedroSession.create(project_path=project, runtime_params={"runs": {"keep_versions": 9}}) as session:
        settings = session.load_context().config_loader["parameters"]["runs"]
        assert (settings["keep_versions"], settings["on_stale"]) == (9, "warn")


def test_a_project_without_a_folder_for_local_settings_has_those_of_base(project: Path) -> None:
    """As one that was unpacked; without git too, which no command needs."""
    shutil.rmtree(project / "conf/local")
    with KedroSession.create(project_path=project) as session:
        context = session.load_context()
        assert context.config_loader["parameters"]["runs"]["keep_versions"] > 0
        assert "raw_events" in context.config_loader["catalog"]
