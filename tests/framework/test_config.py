"""The configuration is read once per session."""

from __future__ import annotations

from pathlib import Path

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


def test_parameters_of_the_command_line_are_part_of_it(project: Path) -> None:
    with KedroSession.create(project_path=project, runtime_params={"runs": {"keep_versions": 9}}) as session:
        assert session.load_context().config_loader["parameters"]["runs"] == {"keep_versions": 9, "on_stale": "warn"}
