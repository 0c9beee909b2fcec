"""Reports for tests: the fields that a test is about, and neutral values for all others."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

_NEUTRAL: dict[Any, Any] = {int: 0, float: 0.0, str: "", bool: False}


def report(model: type[Model], partial: dict[str, Any]) -> Model:
    """An instance of the model from some of its fields, nested; required fields that are missing are neutral."""
    return model.model_validate(_completed(model, partial))


def _completed(model: type[BaseModel], partial: dict[str, Any]) -> dict[str, Any]:
    values = {name: _value(model.model_fields[name].annotation, value) for name, value in partial.items()}
    missing = {name: field for name, field in model.model_fields.items() if name not in values and field.is_required()}
    return values | {name: _neutral(field.annotation) for name, field in missing.items()}


def _value(annotation: Any, value: Any) -> Any:
    """A given value, whose own missing fields are completed."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, dict):
        return _completed(annotation, value)
    arguments = get_args(annotation)
    if get_origin(annotation) is dict and isinstance(value, dict):
        return {key: _value(arguments[1], each) for key, each in value.items()}
    if get_origin(annotation) is list and isinstance(value, list):
        return [_value(arguments[0], each) for each in value]
    return value


def _neutral(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        arguments = get_args(annotation)
        return None if NoneType in arguments else _neutral(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _completed(annotation, {})
    return _NEUTRAL[annotation] if annotation in _NEUTRAL else (get_origin(annotation) or annotation)()
