"""The summary of a run: what it read, did and wrote, how long it took, and with which software."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class NodeSummary(BaseModel):
    """A node that ran: its seconds, loading and saving included, and the rows that it wrote by dataset."""

    node: str
    seconds: float
    rows_written: dict[str, int]


class StageSummary(BaseModel):
    """The nodes of one registered pipeline that ran, and their seconds together."""

    nodes: int
    seconds: float


class GitState(BaseModel):
    """The commit of the project, and whether files differ from it."""

    commit: str
    dirty: bool


class RunRecord(BaseModel):
    """What is known of a run while it runs.

    Fields that newer releases add have defaults, so that summaries of earlier releases load.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    seconds: float
    parameters: dict[str, Any]
    files_read: dict[str, str] = Field(description="path by dataset, of datasets without versions")
    versions_read: dict[str, str]
    versions_written: dict[str, str | None]
    contents_read: dict[str, str | None] = Field(default_factory=dict, description="fingerprint of files_read")
    fingerprints: dict[str, str] = Field(default_factory=dict, description="of the versions written")
    skipped: dict[str, str] = Field(default_factory=dict, description="reason by namespace")
    stages: dict[str, StageSummary] = Field(default_factory=dict, description="by registered pipeline")
    nodes: list[NodeSummary]
    git: GitState | None
    python: str
    packages: dict[str, str]


class RunSummary(RunRecord):
    """What is known of a run that has ended: its manifest, from which it can be repeated."""

    succeeded: bool
    error: str | None
    finished: str
    asked_for: dict[str, Any] = Field(description="the options of the command line")


class RunSoFar(RunRecord):
    """What a node can ask of its own run (dataset ``run_so_far``), and the earlier runs whose results it read."""

    earlier: list[RunSummary] = Field(description="the newest first")
