"""The contract of the raw log, as typed, bounded parameters."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from typing import Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock, did_you_mean

from .schemas import EVENT_COLUMNS, LOGGED_IN_COLUMNS, MOMENTS, NEEDED_COLUMNS, event_column

Action = Literal["warn", "reject", "fail"]
Kind = Literal["is missing", "is unknown", "is out of range", "has another form"]

MALFORMED = "not a JSON object"
DECIMAL_USER_ID = "userId is written with a decimal point"
_KINDS = {"long": "a whole number", "double": "a number"}
# The contract's types by Spark's names.
SPARK_TYPES = {"string": "string", "long": "bigint", "double": "double"}


class Rule(NamedTuple):
    """A requirement for one column, and the action if a line violates it."""

    column: str
    kind: Kind
    action: Action

    @property
    def name(self) -> str:
        """The text of the violation in ``failures`` and in the ingestion report."""
        return f"{self.column} {self.kind}"


def wrong_kind(column: str, kind: str) -> str:
    """The text of a violation: a value is none of its column's type."""
    return f"{column} is not {_KINDS[kind]}"


class RawColumn(ParameterBlock):
    """The rules for one column; a rule without its own action uses the contract's ``if_broken``."""

    type: Literal["string", "long", "double"] = Field(description="of the values")
    required: Literal["always", "logged_in", "never"] = Field(
        default="never", description="logged_in: this and the column's other rules apply only to logged-in users"
    )
    one_of: list[str] | None = Field(default=None, min_length=1, description="the known values")
    matches: str | None = Field(default=None, description="a regular expression; values in one_of are exempt")
    between: tuple[float, float] | None = Field(
        default=None, description="the smallest and the largest number, inclusive"
    )
    between_days: tuple[date, date] | None = Field(
        default=None,
        description="for timestamps in ms since the epoch: from the first day (UTC) to the second, exclusive",
    )
    personal: bool = Field(
        default=False, description="the column is stored in no table, and removed from rejected lines"
    )
    if_missing: Action | None = Field(default=None, description="what happens to a line without a value")
    if_unknown: Action | None = Field(default=None, description="of a value that is not in one_of")
    if_of_another_form: Action | None = Field(default=None, description="of a value that does not match")
    if_out_of_range: Action | None = Field(default=None, description="of a value that is not between the limits")

    @field_validator("matches")
    @classmethod
    def _is_an_expression(cls, matches: str | None) -> str | None:
        try:
            re.compile(matches or "")
        except re.error as error:
            raise ValueError(f"should be a regular expression: {error}") from error
        return matches

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> RawColumn:
        of_text = [name for name in ("one_of", "matches") if getattr(self, name) is not None]
        of_numbers = [name for name in ("between", "between_days") if getattr(self, name) is not None]
        misplaced = of_numbers if self.type == "string" else of_text
        if misplaced or (self.type == "double" and self.between_days):
            raise ValueError(f"{(misplaced or of_numbers)[0]} does not apply to a {self.type}")
        if len(of_numbers) == 2:
            raise ValueError("takes only one of between and between_days")
        for name in of_numbers:
            least, greatest = getattr(self, name)
            if not least < greatest:
                raise ValueError(f"{name} must be in increasing order (it is {least} to {greatest})")
        declared = {
            "if_missing": self.required != "never",
            "if_unknown": self.one_of is not None,
            "if_of_another_form": self.matches is not None,
            "if_out_of_range": bool(of_numbers),
        }
        idle = [name for name, is_declared in declared.items() if getattr(self, name) and not is_declared]
        if idle:
            raise ValueError(f"{idle[0]} is an action without its rule")
        return self

    def actions(self, otherwise: Action) -> dict[Kind, Action]:
        """The column's rules with their actions."""
        declared: list[tuple[Kind, bool, Action | None]] = [
            ("is missing", self.required != "never", self.if_missing),
            ("is out of range", bool(self.between or self.between_days), self.if_out_of_range),
            ("has another form", self.matches is not None, self.if_of_another_form),
            ("is unknown", self.one_of is not None, self.if_unknown),
        ]
        return {kind: action or otherwise for kind, is_declared, action in declared if is_declared}


class Source(ParameterBlock):
    """How the log of another service says what the contract's columns say; the default changes nothing."""

    columns: dict[str, str] = Field(default={}, description="the log's column, by the contract's, where names differ")
    values: dict[str, dict[str, list[str]]] = Field(
        default={}, description="the log's values, by the contract's column and the value that they stand for"
    )
    constants: dict[str, str | float] = Field(
        default={}, description="the value of a column that the log does not have and that is the same in all lines"
    )
    derive: list[Literal["registration", "level", "sessionId", "itemInSession"]] = Field(
        default=[], description="columns that the log does not have, and that follow from a user's events"
    )
    time: Literal["ms", "s", "us", "iso"] = Field(
        default="ms", description="of ts and registration: since the epoch, or ISO 8601 (UTC, if without a zone)"
    )
    session_gap_minutes: float = Field(
        default=30, gt=0, description="without an event of the user, after which a derived session ends"
    )

    @property
    def is_identity(self) -> bool:
        """Whether the log has the contract's columns and values."""
        return self.time == "ms" and not (self.columns or self.values or self.constants or self.derive)

    @property
    def made(self) -> set[str]:
        """The contract's columns that are not read from the log."""
        return {*self.derive, *self.constants}


def _check_known(name: str, known: Collection[str], where: str) -> None:
    if name not in known:
        raise ValueError(f"{where} has '{name}', which is not known: {did_you_mean(name, known)}")


class Ingestion(ParameterBlock):
    """The contract of the raw log: its columns, the actions for violations, and the limit for rejected lines."""

    mode: Literal["full", "increment"] = Field(
        default="full", description="increment: parse only the files that an earlier run has not read"
    )
    if_changed: Literal["read_all", "stop"] = Field(
        default="read_all",
        description="what an increment does where a file that was read has changed or is gone",
    )
    max_rejected_share: float = Field(ge=0, le=1, description="of all lines; with more, the run stops")
    if_broken: Action = Field(description="the action of rules without their own action")
    if_malformed: Literal["reject", "fail"] = Field(
        description="the action for a line that is not an object, or has a value of another type"
    )
    logged_out_auth: list[str] = Field(
        default=[], description="the values of auth with which a row is a logged-out row, whatever its user id"
    )
    columns: dict[str, RawColumn]
    source: Source = Source()

    @model_validator(mode="after")
    def _source_names_columns(self) -> Ingestion:
        source = self.source
        for block in ("columns", "values", "constants"):
            for name in getattr(source, block):
                _check_known(name, self.columns, f"source.{block}")
        for name, values in source.values.items():
            for value in values:
                _check_known(value, self.columns[name].one_of or [value], f"source.values.{name}")
        twice = sorted(source.made & set(source.columns) | set(source.derive) & set(source.constants))
        if twice:
            raise ValueError(f"source says twice where {twice[0]} comes from: in columns, constants or derive")
        return self

    @model_validator(mode="after")
    def _events_can_be_made(self) -> Ingestion:
        """Check that the contract guarantees what later nodes require of an event."""
        declared = {event_column(name): column for name, column in self.columns.items() if not column.personal}
        raw_names = {event_column(name): name for name in self.columns}
        for name, kind in EVENT_COLUMNS.items():
            if name not in declared:
                raise ValueError(f"columns must declare {raw_names.get(name, name)}, and not as personal")
            if SPARK_TYPES[declared[name].type] != kind:
                raise ValueError(f"columns.{raw_names[name]}.type must be {kind}, the type of the events table")
        needed = {**dict.fromkeys(NEEDED_COLUMNS, "always"), **dict.fromkeys(LOGGED_IN_COLUMNS, "logged_in")}
        for name, least in needed.items():
            raw_name, required = raw_names[name], declared[name].required
            if required not in {"always", least} or self._action(raw_name, "is missing") == "warn":
                raise ValueError(f"columns.{raw_name} must be required ({least}), with an action other than warn")
        for name in MOMENTS:
            if declared[name].between_days is None or self._action(raw_names[name], "is out of range") == "warn":
                raise ValueError(f"columns.{raw_names[name]} must have between_days, with an action other than warn")
        return self

    def _action(self, column: str, kind: Kind) -> Action:
        return self.columns[column].actions(self.if_broken)[kind]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order of the columns, which is the order of a line's failures."""
        return tuple(
            Rule(name, kind, action)
            for name, column in self.columns.items()
            for kind, action in column.actions(self.if_broken).items()
        )

    @property
    def actions(self) -> dict[str, Action]:
        """The action of each failure, by its name."""
        kinds = [wrong_kind(name, column.type) for name, column in self.columns.items() if column.type in _KINDS]
        of_lines = dict.fromkeys((MALFORMED, *kinds), self.if_malformed)
        return {**of_lines, **{rule.name: rule.action for rule in self.rules}, DECIMAL_USER_ID: "warn"}

    @property
    def personal_columns(self) -> tuple[str, ...]:
        """The columns that are stored in no table."""
        return tuple(name for name, column in self.columns.items() if column.personal)
