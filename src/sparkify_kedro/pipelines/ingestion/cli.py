"""``kedro logs``: look at a log before anything is run."""

from __future__ import annotations

import click
from kedro.framework.cli.utils import CONTEXT_SETTINGS, env_option
from kedro.framework.session import KedroSession

from sparkify_kedro.framework.commands import OneSentenceCommand

# Most commands of Kedro need no datasets, which are slow to import: what needs them is imported inside the command.


@click.group(context_settings=CONTEXT_SETTINGS)
def logs() -> None:
    """Look at logs before they are run."""


@logs.command(name="inspect", cls=OneSentenceCommand)
@click.argument("path")
@env_option
def inspect_log(path: str, env: str | None) -> None:
    """Show what the log at PATH holds, and propose how to map it to the contract.

    PATH is a file of JSON lines, CSV or Parquet, a folder of them or a glob. Nothing is written.
    """
    from sparkify_kedro.framework.datasets import JSONRecordsDataset  # noqa: PLC0415

    from .inspection import column_for, describe, describe_files, propose_source, summarize, values_of  # noqa: PLC0415
    from .parameters import Ingestion  # noqa: PLC0415

    session = KedroSession.create(env=env)
    with session:
        # The context's hooks set up Spark.
        parameters = session.load_context().config_loader["parameters"]
    contract = Ingestion.model_validate(parameters["ingestion"])
    dataset = JSONRecordsDataset(filepath=path)
    click.echo(f"{describe_files(dataset.contents().values())}.")
    lines = dataset.load()
    summary = summarize(lines)
    columns = {name: column_for(name, summary, contract) for name in ("page", "level", "gender")}
    values = {name: values_of(lines, column) if column else {} for name, column in columns.items()}
    proposal = propose_source(summary, values["page"], values["level"], values["gender"], contract)
    click.echo(describe(summary, proposal, values["page"], contract))
