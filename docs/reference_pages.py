"""The pages of the reference, made from the code whenever the site is built (``make docs``)."""

from __future__ import annotations

import inspect
import json
import re
import tempfile
import typing
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageMetadata, PackageNotFoundError, files, metadata
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.utils import load_obj
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from sparkify_kedro.framework.runs.settings import RunSettings
from sparkify_kedro.serving.app import create
from sparkify_kedro.serving.settings import Bounds, Serving
from sparkify_kedro.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS
from sparkify_kedro.tracking.settings import Tracking

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src"
PAGES = PROJECT / "docs" / "reference"
COMMANDS = """# Commands

```{eval-rst}
.. click:: sparkify_kedro.cli:cli
   :prog: kedro
   :nested: full
```
"""
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "min_length": "length at least"}
LAYERS = ("raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting")


def write_pages() -> None:
    """Write the pages whose content has changed; Sphinx builds only what is newer than the site."""
    bootstrap_project(PROJECT)
    configuration = CONFIG_LOADER_CLASS(str(PROJECT / "conf"), env="base", **CONFIG_LOADER_ARGS)
    pages = {
        "parameters": parameters(configuration["parameters"]),
        "datasets": datasets(configuration["catalog"]),
        "features": features(configuration["parameters"]),
        "commands": COMMANDS,
        "http": http_api(configuration),
        "licenses": licenses(),
        **{f"python/{name}": text for name, text in python_api()},
        "python/index": "# Python\n\nModules by package.\n\n```{toctree}\n:glob:\n:maxdepth: 2\n\nsparkify_kedro*\n```",
    }
    # Those in git are the same on every machine; licenses are those of the packages that are installed on this one.
    for name, text in pages.items():
        path = PAGES / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in PAGES.rglob("*.md"):
        if path.relative_to(PAGES).with_suffix("").as_posix() not in pages:
            path.unlink()


def cell(text: object) -> str:
    """A text in a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(header: str, rows: list[list[object]]) -> str:
    """A Markdown table; the header's cells are divided by commas."""
    names = header.split(", ")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(cell(each) for each in line) + " |" for line in lines)


# --- Parameters -------------------------------------------------------------------------------------------------------


def parameters(configured: Mapping[str, Any]) -> str:
    """Every parameter with its type, default, bounds and meaning."""
    parts = [
        "# Parameters",
        "A wrong name, type or value is refused before a run starts. The defaults are those of `conf/base`; "
        "`--params=a.b=VALUE` and `conf/local` change them. Where a path has a `{name}`, the default is that of the "
        "first.",
    ]
    for block, model in sorted(blocks().items()):
        if issubclass(model, RootModel):
            continue  # the features and the themes have pages of their own
        rows = [list(row) for row in fields(model, block, value_at(configured, block))]
        parts += [f"## {block}", (inspect.getdoc(model) or "").partition("\n\n")[0], ""]
        parts.append(table("parameter, type, default, bounds, meaning", rows))
    return "\n\n".join(parts)


def blocks() -> dict[str, type[BaseModel]]:
    """The typed blocks by their paths, as the nodes ask for them and other readers do."""
    found: dict[str, type[BaseModel]] = {"runs": RunSettings, "serving": Bounds, "tracking": Tracking}
    for node in {node for pipeline in pipelines.values() for node in pipeline.nodes}:
        hints = typing.get_type_hints(getattr(node.func, "func", node.func))
        # Without the arguments that are bound.
        arguments = inspect.signature(node.func).parameters
        named = node._inputs if isinstance(node._inputs, dict) else dict(zip(arguments, node.inputs, strict=False))
        for argument, name in named.items():
            kind = hints.get(argument)
            if name.startswith("params:") and isinstance(kind, type) and issubclass(kind, BaseModel):
                found[re.sub(r"(sampling\.labels)\.\w+", r"\1.{label}", name.removeprefix("params:"))] = kind
    return found


def value_at(configured: Any, path: str) -> Any:
    """The configured value of a path; of a pattern, that of the first that matches."""
    for part in path.split("."):
        if not isinstance(configured, Mapping):
            return None
        configured = next(iter(configured.values())) if part.startswith("{") else configured.get(part)
    return configured


def fields(model: type[BaseModel], path: str, values: Any) -> Iterator[tuple[object, ...]]:
    """A row for each parameter of a block and the blocks in it."""
    for name, field in model.model_fields.items():
        value = values.get(name) if isinstance(values, Mapping) else None
        inner = inner_model(field.annotation)
        if inner is None:
            is_given = isinstance(values, Mapping) and name in values
            default = value if is_given else field.get_default(call_default_factory=True)
            shown = f"`{json.dumps(default, default=str)}`" if is_given or not field.is_required() else ""
            yield f"`{path}.{name}`", type_name(field.annotation), shown, bounds(field), field.description or ""
        else:
            is_mapping = get_origin(field.annotation) is dict
            further = f"{path}.{name}.{{name}}" if is_mapping else f"{path}.{name}"
            if is_mapping and isinstance(value, Mapping):
                value = next(iter(value.values()), None)
            yield from fields(inner, further, value)


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The block that a field holds, or a mapping of such."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and not issubclass(annotation, RootModel):
        return annotation
    if get_origin(annotation) is dict:
        return inner_model(get_args(annotation)[1])
    if get_origin(annotation) in (Union, UnionType):
        return next((found for each in get_args(annotation) if (found := inner_model(each))), None)
    return None


def type_name(annotation: Any) -> str:
    """A type as people write it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin in (Union, UnionType):
        return " or ".join("null" if each is NoneType else type_name(each) for each in arguments)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is not None:
        inner = ", ".join(type_name(each) for each in arguments if each is not Ellipsis)
        return f"{origin.__name__} of {inner}"
    return getattr(annotation, "__name__", str(annotation))


def bounds(field: FieldInfo) -> str:
    """The bounds of a value, in words."""
    limits = ((words, getattr(limit, name, None)) for limit in field.metadata for name, words in LIMITS.items())
    return ", ".join(f"{words} {value}" for words, value in limits if value is not None)


# --- Datasets and features --------------------------------------------------------------------------------------------


def datasets(catalog: Mapping[str, Any]) -> str:
    """Every dataset by layer, with its type, path, and what is in it."""
    parts = [
        "# Datasets",
        "`{label}` and `{algorithm}` stand for each of them, `{namespace}` for another log or a label on request. "
        "Every dataset but logs has versions. Columns of tables and fields of JSON files are checked on load and save.",
    ]
    for layer in LAYERS:
        entries = {name: entry for name, entry in catalog.items() if layer_of(name, entry) == layer}
        parts.append(f"## {layer.replace('_', ' ').capitalize()}")
        for name, entry in sorted(entries.items()):
            kind = str(entry["type"]).rpartition(".")[2]
            where = entry.get("filepath") or entry.get("dataset", {}).get("filepath", "")
            optional = ". May be missing" if entry.get("metadata", {}).get("optional") else ""
            parts += [f"### `{name}`", f"`{where}` ({kind}){optional}", *content(entry.get("validator"))]
    return "\n\n".join(parts)


def layer_of(name: str, entry: Any) -> str | None:
    """The layer of an entry; none of what is no dataset of its own."""
    if name.startswith("_") or not isinstance(entry, Mapping):
        return None
    layer: str | None = entry.get("metadata", {}).get("kedro-viz", {}).get("layer")
    return layer


def content(validator: Any) -> Iterator[str]:
    """The columns of a table, or the fields of a JSON file."""
    if isinstance(validator, str):
        schema = load_obj(validator)
        keys = f"One row per ({', '.join(schema.keys)}). " if schema.keys else ""
        more = ", and further ones" if schema.is_open else ""
        columns = re.sub(r"(^|, )(\w+) ", r"\1`\2` ", " ".join(schema.columns.split()))
        yield f"{keys}Columns: {columns}{more}."
    elif isinstance(validator, Mapping):
        model = load_obj(validator["options"]["model"])
        yield (inspect.getdoc(model) or "").partition("\n\n")[0]
        if not issubclass(model, RootModel):
            described = (
                f"`{name}`" + (f" ({field.description})" if field.description else "")
                for name, field in model.model_fields.items()
            )
            yield f"Fields: {', '.join(described)}."


def features(configured: Mapping[str, Any]) -> str:
    """Every feature, and the themes by which features are told as reasons."""
    rows: list[list[object]] = []
    for name, each in configured["feature_registry"].items():
        unit = each["unit"] + (" (its natural logarithm)" if each.get("scale") == "log" else "")
        labels = "all" if each["labels"] == "all" else f"{', '.join(each['labels'])}: {each['why']}"
        rows.append([f"`{name}`", each["definition"], unit, ", ".join(each["sets"]), labels])
    days = configured["feature_engineering"]["time_bin_days"]
    text = f"Columns of `user_time_bins`, one row per user and landmark. A bin is the window of {days} days before it."
    themes: list[list[object]] = []
    for name, each in configured["reason_themes"].items():
        said = "; ".join(filter(None, [each.get("says"), each.get("usual"), *each.get("names", {}).values()]))
        patterns = ", ".join(f"`{pattern}`" for pattern in each["features"])
        themes.append([name, patterns, f"`{each['tells']}`" if each["tells"] else "never told", said])
    return "\n\n".join(
        [
            "# Features",
            text,
            table("feature, definition, unit, sets, labels that may use it", rows),
            "## Themes of reasons",
            "Of the features of a theme, together, one reason is told: the value of a column, beside what is usual.",
            table("theme, features, tells, in words", themes),
        ]
    )


# --- HTTP and Python --------------------------------------------------------------------------------------------------


def http_api(configuration: Any) -> str:
    """The requests and answers of ``kedro serve``."""
    with tempfile.TemporaryDirectory() as folder:
        Serving.configured(configuration, PROJECT).write(Path(folder))
        document = create().openapi()
    parts = [
        "# HTTP API",
        "Of `kedro serve` ([serving](../serving.md)); `/openapi.json` of a server has its champion's features.",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += [f"## {method.upper()} {path.replace(':path', '')}", operation["description"]]
            given = [
                [f"`{each['name']}`", each["schema"].get("type", ""), each.get("description", "")]
                for each in operation.get("parameters", [])
            ]
            if given:
                parts.append(table("parameter, type, meaning", given))
            for status, answer in operation["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                name = schema.get("$ref", "").rpartition("/")[2]
                parts.append(f"* {status}: " + (f"[{name}](#{name.lower()})" if name else answer["description"]))
    for name, schema in sorted(document["components"]["schemas"].items()):
        if "properties" in schema:
            rows: list[list[object]] = [
                [f"`{field}`", json_type(each), each.get("description", "")]
                for field, each in schema["properties"].items()
            ]
            parts += [f"## {name}", schema.get("description", ""), table("field, type, meaning", rows)]
    return "\n\n".join(parts)


def json_type(schema: Mapping[str, Any]) -> str:
    """The type of a field."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(json_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {json_type(schema.get('items') or schema['prefixItems'][0])}"
    return str(schema.get("format") or schema.get("type") or schema.get("const", ""))


def licenses() -> str:
    """The license of every package of the lock file that is installed here."""
    names = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==", (PROJECT / "requirements.lock").read_text(), flags=re.MULTILINE)
    rows: list[list[object]] = []
    for name in dict.fromkeys(names):
        try:
            found = metadata(name)
        except PackageNotFoundError:
            continue  # of another system
        rows.append([name, found["Version"], license_of(found) or first_line_of_license(name)])
    text = (
        "The project is under the MIT license. These packages are installed beside it, by `requirements.lock`; each "
        "has its own license."
    )
    return f"# Licenses\n\n{text}\n\n" + table("package, version, license", rows)


def license_of(package: PackageMetadata) -> str:
    """As the package states it: an expression, a classifier, or the first line of a text."""
    classifiers = [
        each.rpartition(" :: ")[2] for each in package.get_all("Classifier") or () if each.startswith("License :: ")
    ]
    stated = package["License-Expression"] or ", ".join(classifiers) or (package["License"] or "").strip()
    return str(stated).partition("\n")[0][:80].replace("OSI Approved", "")


def first_line_of_license(name: str) -> str:
    """Of the text that a package brings, where its metadata say nothing."""
    text = "\n".join(file.read_text() for file in files(name) or () if file.name.upper().startswith("LICENSE"))
    if "Redistribution and use in source and binary forms" in text:
        return "BSD License"
    return next((line.strip() for line in text.splitlines() if "license" in line.lower()), "not stated")


def python_api() -> Iterator[tuple[str, str]]:
    """A page per package: its modules, from their docstrings."""
    for package in sorted(path.parent for path in (SOURCE / "sparkify_kedro").rglob("__init__.py")):
        name = ".".join(package.relative_to(SOURCE).parts)
        modules = sorted(path.stem for path in package.glob("*.py") if path.stem not in ("__init__", "__main__"))
        if modules:
            listed = (f".. automodule:: {name}.{module}" for module in modules)
            titled = (
                f"## {module}\n\n```{{eval-rst}}\n{line}\n```" for module, line in zip(modules, listed, strict=True)
            )
            yield name, "\n\n".join([f"# {name}", *titled])
