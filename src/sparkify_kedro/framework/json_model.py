"""Pydantic models at the catalog's border: what a JSON dataset holds is checked where it is loaded or saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedro.utils import load_obj
from pydantic import BaseModel, ValidationError


class JSONModel:
    """A catalog ``validator:`` that gives nodes a pydantic model where the file holds JSON.

    Args:
        model: the import path of the model.

    Examples:
        ```yaml
        "{name}.metrics":
          type: sparkify_kedro.framework.datasets.AtomicJSONDataset
          filepath: data/08_reporting/{name}/metrics.json
          validator: {class: sparkify_kedro.framework.json_model.JSONModel, options: {model: my.reports.Metrics}}
        ```
    """

    def __init__(self, model: str) -> None:
        self._model: type[BaseModel] = load_obj(model)

    def validate(self, data: BaseModel | Mapping[str, Any] | None) -> BaseModel | None:
        """The data as an instance of the model; None, an optional file that does not exist, stays None.

        Raises:
            ValueError: one sentence that names every field that is missing, unknown or of another type.
        """
        if data is None or isinstance(data, self._model):
            return data
        try:
            return self._model.model_validate(data)
        except ValidationError as error:
            fields = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise ValueError(f"the JSON is not a {self._model.__name__}: {fields}") from error
