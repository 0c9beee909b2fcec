"""Table schemas, checked where a dataframe is loaded from or saved to the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table and the columns that identify a row.

    Used as a catalog entry's ``validator:``. The check reads names and types from the query plan, without a pass over
    the data. That keys are unique follows from how each table is made, and is checked by the tests.

    Args:
        name: the table's name, for messages.
        columns: ``name type`` pairs in Spark's DDL notation.
        keys: the columns that identify a row; none where rows may repeat.
        is_open: whether other columns are allowed beside the declared ones.
    """

    name: str
    columns: str
    keys: tuple[str, ...] = ()
    is_open: bool = False

    @cached_property
    def struct(self) -> StructType:
        """The columns as Spark's type."""
        struct = StructType.fromDDL(self.columns)
        if not isinstance(struct, StructType):
            raise TypeError(f"the columns of {self.name} are not a list of columns: {self.columns}")
        return struct

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
