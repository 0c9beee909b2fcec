"""Table schemas, declared once and checked where a dataframe enters or leaves the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table and the columns that identify a row.

    Used as a catalog entry's ``validator:``. The check reads names and types from the query plan, so it costs no pass
    over the data; that keys do not repeat is by construction (each table is grouped or selected by its keys) and is
    held by the tests.

    Args:
        name: the table's name, for messages.
        columns: ``name type`` pairs in Spark's DDL notation.
        keys: the columns that identify a row; none where rows have no identity.
        is_open: whether further columns may stand beside the declared ones.
    """

    name: str
    columns: str
    keys: tuple[str, ...] = ()
    is_open: bool = False

    @cached_property
    def struct(self) -> StructType:
        """The columns as Spark's type."""
        return StructType.fromDDL(self.columns)

    def validate(self, data: DataFrame) -> DataFrame:
        """Return the dataframe unchanged, if its columns are the declared ones.

        Raises:
            ValueError: naming the columns that are missing, unexpected or of another type.
        """
        declared = {field.name: field.dataType.simpleString() for field in self.struct.fields}
        actual = {field.name: field.dataType.simpleString() for field in data.schema.fields}
        problems = [
            *(f"{name} is missing" for name in declared if name not in actual),
            *(f"{name} is not expected" for name in actual if name not in declared and not self.is_open),
            *(
                f"{name} is {actual[name]}, not {kind}"
                for name, kind in declared.items()
                if name in actual and actual[name] != kind
            ),
        ]
        if problems:
            raise ValueError(f"the columns of {self.name} are not the declared ones: {'; '.join(problems)}")
        return data
