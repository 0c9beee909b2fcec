"""Conventions of the project. Each is a rule that returns its violations, and is shown to detect one."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import CatalogConfigResolver, DataCatalog
from kedro.io.core import AbstractDataset, DatasetError, is_parameter
from kedro.pipeline import Node, Pipeline
from kedro.utils import load_obj
from omegaconf.errors import InterpolationResolutionError
from pydantic import BaseModel
from pyspark.sql import SparkSession

from sparkify_kedro.churn.vocabulary import EVERY_LABEL, HORIZON_LABELS, LABELS, LEVEL_LABELS
from sparkify_kedro.framework import datasets
from sparkify_kedro.framework.table_schema import TableSchema
from sparkify_kedro.learning.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from sparkify_kedro.pipeline_registry import register_pipelines

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "src" / "sparkify_kedro"
CONF = PROJECT / "conf"
ENVIRONMENTS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir())
OVERRIDES = sorted(set(ENVIRONMENTS) - {"base", "local"})  # local is a user's own
KINDS = ("catalog", "globals", "parameters", "spark")

PIPELINES = register_pipelines()
NAMED_PIPELINES = {name: pipeline for name, pipeline in PIPELINES.items() if name != "__default__"}
# It makes what others make, from more models: it is run in place of them.
IN_PLACE_OF_OTHERS = "all_algorithms"
# It makes a champion anew from the one there is.
REPLACES = "recalibrate"
DISTINCT_PIPELINES = {
    name: pipeline for name, pipeline in NAMED_PIPELINES.items() if name not in (IN_PLACE_OF_OTHERS, REPLACES)
}
# Made of the parts of other pipelines, without a folder of their own.
COMPOSED = {"score_other_log", "level_changes", "other_horizons", IN_PLACE_OF_OTHERS, REPLACES}
FOLDERS = set(NAMED_PIPELINES) - COMPOSED
EVERYTHING = sum(DISTINCT_PIPELINES.values(), Pipeline([]))
OF_ALL_PIPELINES = set().union(*(pipeline.datasets() for pipeline in NAMED_PIPELINES.values()))

WRITTEN_BY_HOOKS = {"run_summary"}
FILLED_BY_HOOKS = {"run_so_far"}
READ_OUTSIDE_NODES = {"runs", "tracking", "serving"}  # blocks of parameters
SHARED = {"feature_registry", "reason_themes"}  # blocks of parameters of several pipelines
SPARK_TYPES = ("SparkDataFrameDataset", "SparkMLDataset")
UNVERSIONED_SPARK = {"raw_events", "scoring_events"}  # a user's files
BESIDE_DEFAULT = {*COMPOSED, "simulation", "backtest", "experiments", "multiclass", "exploration", "survival"}
# The pipelines that learn a label, where it is not one of every run.
ON_REQUEST = dict.fromkeys(LEVEL_LABELS, ("level_changes",)) | dict.fromkeys(HORIZON_LABELS, ("other_horizons",))
LAYERS = (
    "raw",
    "intermediate",
    "primary",
    "feature",
    "model_input",
    "models",
    "model_output",
    "reporting",
)

Config = dict[str, Any]


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses that conf/cluster takes from the environment."""
    monkeypatch.setenv("SPARK_MASTER", "spark://cluster:7077")
    monkeypatch.setenv("SPARKIFY_STORAGE", "/mnt/cluster/sparkify")


def context(env: str) -> KedroContext:
    with KedroSession.create(project_path=PROJECT, env=env) as session:
        return session.load_context()


@pytest.fixture(scope="module")
def catalog() -> DataCatalog:
    return context("base").catalog


@pytest.fixture(scope="module")
def entries() -> Config:
    """The catalog's entries and factories by name, as configured."""
    return dict(context("base").config_loader["catalog"])


@pytest.fixture(scope="module")
def resolver(entries: Config) -> CatalogConfigResolver:
    return CatalogConfigResolver(entries)


def data(names: Iterable[str]) -> set[str]:
    """The names that are data, not parameters."""
    return {name for name in names if not is_parameter(name)}


def a_pipeline(inputs: Any, outputs: Any, **options: Any) -> Pipeline:
    """A pipeline of one node, to break rules with."""
    return Pipeline([Node(func=lambda *values: values, inputs=inputs, outputs=outputs, **options)])


# Configuration


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_configuration_loads_in_every_environment(env: str) -> None:
    """With all its parts, the typed parameters and the catalog."""
    loaded = context(env)
    for kind in KINDS:
        assert loaded.config_loader[kind], kind
    assert set(loaded.params) == FOLDERS | READ_OUTSIDE_NODES | SHARED
    assert len(loaded.catalog) > 0


def test_the_cluster_gets_its_addresses_from_the_environment() -> None:
    loader = context("cluster").config_loader
    assert loader["spark"]["spark.master"] == "spark://cluster:7077"
    assert loader["catalog"]["events"]["filepath"] == "/mnt/cluster/sparkify/02_intermediate/events"
    assert loader["spark"]["spark.app.name"] == context("base").config_loader["spark"]["spark.app.name"]


def test_a_missing_storage_of_a_cluster_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the variable; this is also the check's own proof that a broken environment does not load."""
    monkeypatch.delenv("SPARKIFY_STORAGE")
    with pytest.raises(InterpolationResolutionError, match="SPARKIFY_STORAGE"):
        _ = context("cluster").catalog


def raw_config(env: str, kind: str) -> Config:
    """What an environment's own files say, before interpolation."""
    parts = [yaml.safe_load(file.read_text()) or {} for file in sorted((CONF / env).rglob(f"{kind}*.yml"))]
    return {key: value for part in parts for key, value in part.items()}


def repeats(base: Any, override: Any, at: str = "") -> list[str]:
    """The keys whose value in the environment is what base says already."""
    if isinstance(base, Mapping) and isinstance(override, Mapping) and override:
        return [found for key in override for found in repeats(base.get(key), override[key], f"{at}.{key}".lstrip("."))]
    return [at] if base == override else []


@pytest.mark.parametrize("env", OVERRIDES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_environment_holds_only_what_differs_from_base(env: str, kind: str) -> None:
    assert repeats(raw_config("base", kind), raw_config(env, kind)) == []


def test_values_repeated_in_an_environment_are_detected() -> None:
    base = {"seed": 1, "sampling": {"split": {"share": 0.2, "unit": "user"}, "labels": ["at_risk"]}}
    override = {"seed": 1, "sampling": {"split": {"share": 0.2, "unit": "row"}, "labels": []}}
    assert repeats(base, override) == ["seed", "sampling.split.share"]


@pytest.mark.parametrize("env", OVERRIDES)
def test_an_environment_overrides_something(env: str) -> None:
    """A folder whose files Kedro does not read would pass every other test."""
    assert any(raw_config(env, kind) for kind in KINDS)


# Catalog


def unresolved(names: Iterable[str], resolver: CatalogConfigResolver) -> set[str]:
    """The datasets that no entry and no factory of the same depth describes: they would lie in memory, unnoticed."""

    def is_described(name: str) -> bool:
        pattern = resolver.match_dataset_pattern(name)
        return name in resolver.config or (pattern is not None and pattern.count(".") == name.count("."))

    return {name for name in data(names) if not is_described(name)}


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_every_dataset_is_in_the_catalog(name: str, resolver: CatalogConfigResolver) -> None:
    assert unresolved(PIPELINES[name].datasets(), resolver) == set()


def test_a_dataset_missing_in_the_catalog_is_detected(resolver: CatalogConfigResolver) -> None:
    strange = a_pipeline(["events", "params:sampling"], ["banana_table", "will_churn_soon.train", "a.b.train"])
    assert unresolved(strange.datasets(), resolver) == {"banana_table", "a.b.train"}


def unused(entries: Config, names: Iterable[str]) -> set[str]:
    """The entries that no pipeline uses, and the factories that make no dataset."""
    resolver = CatalogConfigResolver(entries)
    used = data(names)
    making = {resolver.match_dataset_pattern(name) for name in used if name not in resolver.config}
    return set(entries) - used - making


def test_every_catalog_entry_is_used(entries: Config) -> None:
    assert unused(entries, OF_ALL_PIPELINES) == WRITTEN_BY_HOOKS


def test_an_unused_catalog_entry_is_detected() -> None:
    entry = {"type": "MemoryDataset"}
    listed = {name: entry for name in ("events", "banana_table", "{label}.train", "{label}.banana")}
    assert unused(listed, ["events", "will_churn_soon.train"]) == {"banana_table", "{label}.banana"}


def breaks_layer_rule(entry: Config) -> bool:
    """Whether the entry lacks its kedro-viz layer, or lies in another layer's folder."""
    layer = entry.get("metadata", {}).get("kedro-viz", {}).get("layer")
    folder = re.search(r"/\d\d_([a-z_]+)/", entry.get("filepath", ""))
    # The model card is a report stored in the folder of its model.
    is_text = entry["type"].endswith("TextDataset")
    return layer not in LAYERS or (folder is not None and folder[1] != layer and not is_text)


def breaks_version_rule(name: str, entry: Config) -> bool:
    """Whether a Spark dataframe or model is not versioned, though it is no user's file."""
    is_spark = entry["type"].endswith(SPARK_TYPES)
    return is_spark and name not in UNVERSIONED_SPARK and entry.get("versioned") is not True


def test_every_catalog_entry_has_its_layer(entries: Config) -> None:
    assert [name for name, entry in entries.items() if breaks_layer_rule(entry) and name not in FILLED_BY_HOOKS] == []


def test_every_dataframe_and_model_is_versioned(entries: Config) -> None:
    assert [name for name, entry in entries.items() if breaks_version_rule(name, entry)] == []


def test_entries_without_layer_or_versions_are_detected() -> None:
    good = {
        "type": "sparkify_kedro.framework.datasets.SparkMLDataset",
        "filepath": "data/06_models/m",
        "versioned": True,
        "metadata": {"kedro-viz": {"layer": "models"}},
    }
    assert not breaks_layer_rule(good)
    assert breaks_layer_rule({**good, "metadata": {}})
    assert breaks_layer_rule({**good, "metadata": {"kedro-viz": {"layer": "bananas"}}})
    assert breaks_layer_rule({**good, "metadata": {"kedro-viz": {"layer": "feature"}}})
    beside = {**good, "type": "AtomicTextDataset", "metadata": {"kedro-viz": {"layer": "reporting"}}}
    assert not breaks_layer_rule(beside)
    assert breaks_layer_rule({**beside, "metadata": {"kedro-viz": {"layer": "bananas"}}})
    assert not breaks_version_rule("m", good)
    assert breaks_version_rule("m", {**good, "versioned": False})
    assert breaks_version_rule("m", {key: value for key, value in good.items() if key != "versioned"})
    assert not breaks_version_rule("raw_events", {**good, "versioned": False})


def backward(pipeline: Pipeline, layer_of: Callable[[str], str | None]) -> set[tuple[str, str]]:
    """The nodes' inputs and outputs that lead back to an earlier layer: kedro-viz could not put layers in order."""
    order = {layer: place for place, layer in enumerate(LAYERS)}
    return {
        (source, made)
        for node in pipeline.nodes
        for source in data(node.inputs) - FILLED_BY_HOOKS
        for made in node.outputs
        if order[layer_of(source)] > order[layer_of(made)]
    }


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {REPLACES}))
def test_data_flows_one_way_through_the_layers(name: str, catalog: DataCatalog) -> None:
    def layer_of(dataset: str) -> str:
        metadata = catalog.get(dataset, fallback_to_runtime_pattern=True).metadata
        return metadata["kedro-viz"]["layer"]

    assert backward(PIPELINES[name], layer_of) == set()


def test_data_that_flows_back_is_detected() -> None:
    layers = {"events": "intermediate", "report": "reporting", "model": "models"}
    there, back = a_pipeline("events", "report", name="there"), a_pipeline(["report", "params:x"], "model", name="back")
    assert backward(there, layers.get) == set()
    assert backward(there + back, layers.get) == {("report", "model")}


def wrong_keys(schema: TableSchema) -> list[str]:
    """The keys of a table that are none of its columns."""
    return [key for key in schema.keys if key not in schema.struct.names]


JSON_MODEL = "sparkify_kedro.framework.json_model.JSONModel"


def validators(entries: Config) -> tuple[set[str], set[str]]:
    """The import paths of all table schemas, and of all models of JSON reports."""
    declared = [entry["validator"] for entry in entries.values() if "validator" in entry]
    tables = {each for each in declared if isinstance(each, str)}
    models = {each["options"]["model"] for each in declared if not isinstance(each, str)}
    assert {each["class"] for each in declared if not isinstance(each, str)} == {JSON_MODEL}
    return tables, models


def test_every_validator_is_a_table_schema_or_a_model(spark: SparkSession, entries: Config) -> None:
    tables, models = validators(entries)
    assert tables and models
    for path in tables:
        schema = load_obj(path)
        assert isinstance(schema, TableSchema)
        assert wrong_keys(schema) == []
    for path in models:
        assert issubclass(load_obj(path), BaseModel)


def untyped_reports(entries: Config, pipelines: Iterable[Pipeline]) -> set[str]:
    """The JSON datasets that a node loads and that have no model."""
    resolver = CatalogConfigResolver(entries)
    loaded = set[str]().union(*(data(pipeline.inputs() | pipeline.all_inputs()) for pipeline in pipelines))
    configured = {name: resolver.resolve_pattern(name) for name in loaded}
    return {
        name
        for name, entry in configured.items()
        if entry.get("type", "").endswith("AtomicJSONDataset") and "validator" not in entry
    }


def test_every_json_report_that_a_node_loads_has_a_model(entries: Config) -> None:
    """But for the list of songs, which is rows of a table."""
    assert untyped_reports(entries, NAMED_PIPELINES.values()) == {"log.most_played"}


def test_a_json_report_without_a_model_is_detected() -> None:
    entry = {"type": "sparkify_kedro.framework.datasets.AtomicJSONDataset", "filepath": "x.json"}
    assert untyped_reports({"x": entry}, [a_pipeline("x", "y")]) == {"x"}


def test_keys_that_are_not_columns_are_detected(spark: SparkSession) -> None:
    assert wrong_keys(TableSchema(name="t", columns="user_id string", keys=("user_id", "banana"))) == ["banana"]


def documented_entries(dataset: type[AbstractDataset]) -> Config:
    """The catalog entries that a dataset's docstring shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", inspect.getdoc(dataset) or "", re.DOTALL)
    return {name: entry for block in blocks for name, entry in yaml.safe_load(textwrap.dedent(block)).items()}


@pytest.mark.parametrize("dataset", [getattr(datasets, name) for name in datasets.__all__])
def test_the_entries_in_a_datasets_docstring_are_entries_of_that_dataset(dataset: type[AbstractDataset]) -> None:
    """A bucket stands for any place, and needs a package more; a folder does not."""
    shown = documented_entries(dataset)
    assert shown
    for name, entry in shown.items():
        local = yaml.safe_load(yaml.safe_dump(entry).replace("s3a://bucket", "data"))
        assert type(AbstractDataset.from_config(name, local)) is dataset


def test_an_entry_with_an_unknown_option_is_detected() -> None:
    entry = {"type": datasets.SparkMLDataset, "filepath": "data/m", "file_format": "parquet"}
    with pytest.raises(DatasetError, match="file_format"):
        AbstractDataset.from_config("m", entry)


# Parameters


def unused_parameters(parameters: Config, used: set[str], at: str = "") -> list[str]:
    """The keys that reach no node: neither they, nor a block around them, nor all that is in them."""
    found = []
    for key, value in parameters.items():
        path = f"{at}.{key}".lstrip(".")
        if path in used:
            continue
        within = [name for name in used if name.startswith(f"{path}.")]
        found += unused_parameters(value, used, path) if within and isinstance(value, Mapping) else [path]
    return found


def used_parameters(pipelines: Iterable[Pipeline]) -> set[str]:
    return {
        name.removeprefix("params:")
        for pipeline in pipelines
        for name in pipeline.inputs()
        if name.startswith("params:")
    }


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_parameter_reaches_a_node(env: str) -> None:
    parameters = dict(context(env).config_loader["parameters"])
    assert unused_parameters(parameters, used_parameters(PIPELINES.values()) | READ_OUTSIDE_NODES) == []


def test_an_unused_parameter_is_detected() -> None:
    used = used_parameters([a_pipeline(["params:sampling.labels.soon", "params:ingestion"], "x")])
    parameters = {
        "ingestion": {"earliest": 1},
        "sampling": {"labels": {"soon": {"share": 1}, "later": {"share": 2}}, "banana": 3},
        "apple": {"pear": 1},
    }
    assert unused_parameters(parameters, used) == ["sampling.labels.later", "sampling.banana", "apple"]


# Pipelines


def unnamed(pipeline: Pipeline) -> list[str]:
    """The nodes whose name Kedro had to make up, or that is no word."""
    return [node.name for node in pipeline.nodes if not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", node.name)]


def repeated(pipelines: Iterable[Pipeline]) -> list[str]:
    """The names that several nodes share."""
    counted = Counter(node.name for pipeline in pipelines for node in pipeline.nodes)
    return [name for name, times in counted.items() if times > 1]


def test_every_node_has_a_unique_name() -> None:
    assert [name for pipeline in NAMED_PIPELINES.values() for name in unnamed(pipeline)] == []
    assert repeated(DISTINCT_PIPELINES.values()) == []


def test_unnamed_and_duplicate_nodes_are_detected() -> None:
    named, other = a_pipeline("a", "b", name="make"), a_pipeline("c", "d", name="make")
    assert len(unnamed(a_pipeline("a", "b"))) == 1
    assert unnamed(named) == []
    assert repeated([named, other]) == ["make"]


def not_in_default(pipelines: Mapping[str, Pipeline]) -> set[str]:
    """The pipelines that ``__default__`` does not run whole; an extra node in it is reported as ``__default__``."""
    default = set(pipelines["__default__"].nodes)
    named = {name: set(pipeline.nodes) for name, pipeline in pipelines.items() if name != "__default__"}
    strange = {"__default__"} if default - set().union(*named.values()) else set()
    return strange | {name for name, nodes in named.items() if not nodes <= default}


def test_the_default_pipeline_is_everything_up_to_the_report() -> None:
    """Not the simulation, which makes a log, nor what uses champions or trains again for the past."""
    assert not_in_default(PIPELINES) == BESIDE_DEFAULT
    for name in BESIDE_DEFAULT - {IN_PLACE_OF_OTHERS, REPLACES}:
        assert not set(PIPELINES[name].nodes) & set(PIPELINES["__default__"].nodes)


def test_all_algorithms_make_what_the_default_makes_and_the_models_of_extras() -> None:
    parts = ("modeling", "scoring", "decision", "monitoring", "reporting")
    default = sum((PIPELINES[name] for name in parts), Pipeline([]))
    more = PIPELINES[IN_PLACE_OF_OTHERS].all_outputs() - default.all_outputs()
    assert default.all_outputs() <= PIPELINES[IN_PLACE_OF_OTHERS].all_outputs()
    optional = set(ALGORITHMS) - set(DEFAULT_ALGORITHMS)
    assert {tuple(name.split(".")[:2]) for name in more} == {(label, name) for label in LABELS for name in optional}
    # What there is only once, such as the search for the other algorithms, is the same node.
    assert {f"{LABELS[0]}.random_forest.search_model", "score_users"} <= {
        node.name for node in set(default.nodes) & set(PIPELINES[IN_PLACE_OF_OTHERS].nodes)
    }


def test_a_pipeline_missing_in_the_default_is_detected() -> None:
    one, two, three = (a_pipeline("a", name, name=f"make_{name}") for name in ("x", "y", "z"))
    assert not_in_default({"one": one, "two": two, "__default__": one}) == {"two"}
    assert not_in_default({"one": one, "two": two, "__default__": one + three}) == {"two", "__default__"}


def not_kept(names: Iterable[str], catalog: DataCatalog) -> set[str]:
    """The datasets that are gone when a run ends."""
    kept = data(names) - FILLED_BY_HOOKS
    return {name for name in kept if catalog.get(name, fallback_to_runtime_pattern=True)._EPHEMERAL}


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_every_pipeline_runs_alone_on_stored_datasets(name: str, catalog: DataCatalog) -> None:
    """Its inputs are files, and what it leaves is a file, so that it runs alone or says which file it lacks."""
    pipeline = PIPELINES[name]
    assert data(pipeline.outputs())
    assert not_kept(pipeline.inputs() | pipeline.outputs(), catalog) == set()


def test_an_input_that_is_not_stored_is_detected(catalog: DataCatalog) -> None:
    assert not_kept(["events", "params:ingestion", "banana_table"], catalog) == {"banana_table"}


def homeless(name: str, project: Path) -> list[str]:
    """The places in which a pipeline's name should be found and is not."""
    places = [
        f"src/sparkify_kedro/pipelines/{name}/pipeline.py",
        f"src/sparkify_kedro/pipelines/{name}/nodes.py",
        f"src/sparkify_kedro/pipelines/{name}/__init__.py",
        f"conf/base/catalog_{name}.yml",
        f"conf/base/parameters_{name}.yml",
        f"tests/pipelines/{name}/test_*.py",
    ]
    return [place for place in places if not any(project.glob(place))]


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_files_of_a_pipeline_share_its_name(name: str) -> None:
    assert homeless(name, PROJECT) == []


def test_a_pipeline_without_its_files_is_detected() -> None:
    assert len(homeless("banana", PROJECT)) == 6


def test_no_file_belongs_to_a_missing_pipeline() -> None:
    names = FOLDERS
    folders = {folder.name for folder in (PACKAGE / "pipelines").iterdir() if (folder / "__init__.py").exists()}
    assert folders == names
    assert {
        file.stem.removeprefix("parameters_") for file in CONF.rglob("parameters*.yml")
    } <= names | READ_OUTSIDE_NODES | SHARED
    catalogs = {file.stem.removeprefix("catalog_") for file in CONF.rglob("catalog*.yml")}
    assert catalogs <= names | WRITTEN_BY_HOOKS


@pytest.mark.parametrize("label", EVERY_LABEL)
def test_a_label_is_a_namespace_and_a_tag(label: str) -> None:
    """With ``--namespaces`` and with ``--tags`` alike, in the pipelines that learn it, and nowhere else."""
    for name, pipeline in DISTINCT_PIPELINES.items():
        spaced = {node.name for node in pipeline.nodes if f"{node.namespace}.".startswith(f"{label}.")}
        assert bool(spaced) is (name in ON_REQUEST.get(label, ("sampling", "modeling", "reporting")))
        assert spaced == {node.name for node in pipeline.only_nodes_with_tags(label).nodes}
        if spaced:
            assert spaced == {node.name for node in pipeline.only_nodes_with_namespaces([label]).nodes}


@pytest.mark.parametrize("algorithm", DEFAULT_ALGORITHMS)
@pytest.mark.parametrize("label", LABELS)
def test_an_algorithm_is_a_namespace_within_its_label_and_a_tag(label: str, algorithm: str) -> None:
    namespace = f"{label}.{algorithm}"
    spaced = PIPELINES["modeling"].only_nodes_with_namespaces([namespace])

    assert {node.short_name for node in spaced.nodes} == {"search_model", "predict", "evaluate", "evaluate_as_original"}
    assert all({label, algorithm} <= set(node.tags) for node in spaced.nodes)
    assert data(spaced.outputs() | spaced.all_outputs()) == {
        f"{namespace}.{name}"
        for name in ("model", "search_report", "out_of_fold", "predictions", "metrics", "original_protocol")
    }


def test_a_tag_of_an_algorithm_is_of_that_algorithm_alone() -> None:
    for algorithm in DEFAULT_ALGORITHMS:
        tagged = EVERYTHING.only_nodes_with_tags(algorithm).nodes
        assert {node.namespace for node in tagged} == {f"{part}.{algorithm}" for part in (*EVERY_LABEL, "multiclass")}


# Code


ROW_BY_ROW = {"udf", "udtf", "pandas_udf", "arrow_udf", "arrow_udtf"}
IN_PANDAS = {"mapInPandas", "mapInArrow", "applyInPandas", "applyInArrow", "foreachPartition", "mapPartitions"}


def python_functions(source: str, forbidden: set[str]) -> set[str]:
    """The ways of this code to send rows from Spark to Python, of those that are forbidden."""
    tree = ast.walk(ast.parse(source))
    words = {getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None) for node in tree}
    return words & forbidden


@pytest.mark.parametrize(
    "module", [name for _, name, _ in pkgutil.walk_packages([str(PACKAGE / "pipelines")], "sparkify_kedro.pipelines.")]
)
def test_nodes_use_no_python_udfs(module: str) -> None:
    """Only the simulation, which draws its events one after the other, does, and then many rows at a time."""
    source = inspect.getsource(importlib.import_module(module))
    simulates = module.startswith("sparkify_kedro.pipelines.simulation")
    assert python_functions(source, ROW_BY_ROW if simulates else ROW_BY_ROW | IN_PANDAS) == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("F.udf(lambda x: x)", {"udf"}),
        ("@udf\ndef f(x): ...", {"udf"}),
        ("@F.pandas_udf('long')\ndef f(x): ...", {"pandas_udf"}),
        ("from pyspark.sql.functions import udf as plain", {"udf"}),
        ("events.mapInPandas(f, 'x int')", {"mapInPandas"}),
        ("'no udf here'\nF.col('udf')", set()),
    ],
)
def test_python_udfs_are_detected(source: str, expected: set[str]) -> None:
    assert python_functions(source, ROW_BY_ROW | IN_PANDAS) == expected


# Notebooks


def left_in(notebook: Config) -> list[str]:
    """What a run has left in a notebook."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"] is not None]


@pytest.mark.parametrize("path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    assert left_in(json.loads(path.read_text())) == []


def test_outputs_in_a_notebook_are_detected() -> None:
    clean = {"cell_type": "code", "id": "a", "outputs": [], "execution_count": None}
    cells = [clean, clean | {"id": "b", "outputs": [{}]}, clean | {"id": "c", "execution_count": 3}]
    assert left_in({"cells": cells}) == ["b", "c"]


def test_a_missing_environment_does_not_load() -> None:
    """So that the first test of this file cannot pass on a folder that is not there."""
    with pytest.raises((MissingConfigException, ValueError)):
        _ = context("banana").config_loader["spark"]
