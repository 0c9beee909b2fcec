"""Plotly figures that are there whole or not at all."""

from __future__ import annotations

from kedro_datasets.plotly import JSONDataset

from .atomic_file import AtomicFileMixin


class AtomicPlotlyDataset(AtomicFileMixin, JSONDataset):
    """``AtomicPlotlyDataset`` is ``plotly.JSONDataset`` that writes beside the file's place and moves it there.

    A version whose write was cut off does not exist. kedro-viz draws the figure.

    Examples:
        Using the [YAML API](https://docs.kedro.org/en/stable/catalog-data/data_catalog_yaml_examples/):

        ```yaml
        "{label}.figure":
          type: sparkify_kedro.framework.datasets.AtomicPlotlyDataset
          filepath: data/08_reporting/{label}/figure.json
          versioned: true
        ```

        Using the [Python API](https://docs.kedro.org/en/stable/catalog-data/advanced_data_catalog_usage/):

        >>> import tempfile
        >>> import plotly.graph_objects as go
        >>>
        >>> figure = go.Figure(go.Bar(x=["free", "paid"], y=[0.3, 0.2]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = AtomicPlotlyDataset(filepath=f"{folder}/figure.json")
        ...     dataset.save(figure)
        ...     dataset.load() == figure
        True
    """
