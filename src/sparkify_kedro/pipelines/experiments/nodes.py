"""Run variants of the forecast, and compare their scores on the same rows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from sparkify_kedro.churn.reports import ExperimentResult, ExperimentResults, SearchReport
from sparkify_kedro.churn.vocabulary import KEYS
from sparkify_kedro.framework.errors import error_message
from sparkify_kedro.framework.memory import peak_memory
from sparkify_kedro.framework.runs.fingerprint import fingerprint
from sparkify_kedro.framework.runs.summary import RunSoFar
from sparkify_kedro.framework.skipping import Skipped
from sparkify_kedro.framework.variants import Variant
from sparkify_kedro.learning.evaluation import paired_difference, ranking_report
from sparkify_kedro.learning.parameters import Evaluation

from .parameters import Experiments

logger = logging.getLogger(__name__)

Scores = dict[str, pd.DataFrame]
# What is made of a variant, of the datasets of its label and algorithm.
OF_VARIANT = ("out_of_fold", "search_report")
_MIB = 2**20


class _Made(NamedTuple):
    result: ExperimentResult
    scores: pd.DataFrame | None


def run_experiments(
    experiments: Experiments,
    earlier_results: ExperimentResults | None,
    run_so_far: RunSoFar,
    make_variant: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Variant],
    **data: Any,
) -> Iterator[tuple[Scores, ExperimentResults]]:
    """Run the variants one after the other; those whose result is there already are not run again.

    A variant that fails is noted with the reason, and the next one runs.

    Args:
        experiments: the variants, and which of them to run.
        earlier_results: the results of earlier runs.
        run_so_far: the versions of ``data``.
        make_variant: from an algorithm, ``data`` and changed parameters to the variant.
        data: what variants begin with, as ``framework.variants.inputs_of`` lists it.

    Yields:
        After each variant: its scores out of fold by its name (keys, ``label`` and ``score``), and the results of all
        variants so far.

    Raises:
        ValueError: before any variant runs, naming those with wrong parameters.
    """
    variants = {}
    for name in experiments.variants:
        try:
            variants[name] = make_variant(experiments.algorithm_of(name), data, experiments.variants[name].parameters)
        except ValueError as error:
            raise ValueError(f"experiments.variants.{name}.parameters: {error_message(error)}") from error
    versions = {**run_so_far.versions_read, **run_so_far.versions_written}
    of_data = sorted((name, version) for name, version in versions.items() if name in data)
    results = {} if earlier_results is None else dict(earlier_results.root)
    prints = {name: fingerprint([of_data, variant.fingerprint]) for name, variant in variants.items()}
    # Results of variants that are no longer configured, or would differ today, are not shown beside the others.
    results = {name: each for name, each in results.items() if prints.get(name) == each.fingerprint}
    to_run = [name for name in experiments.to_run() if name not in results or results[name].error is not None]
    logger.info("Experiments: %d to run, %d known from earlier runs", len(to_run), len(set(results) - set(to_run)))
    yield {}, ExperimentResults(results)
    for position, name in enumerate(to_run, start=1):
        logger.info("Experiment %d of %d: %s", position, len(to_run), name)
        made = _run(variants[name], experiments.algorithm_of(name), prints[name])
        if made.result.error is not None:
            logger.warning("Experiment %s failed: %s", name, made.result.error)
        results[name] = made.result
        yield {} if made.scores is None else {name: made.scores}, ExperimentResults(dict(results))


def compare_experiments(
    experiments: Experiments,
    evaluation: Evaluation,
    results: ExperimentResults,
    scores: dict[str, Callable[[], pd.DataFrame]],
) -> pd.DataFrame:
    """Compare each variant with the baseline, or the variant that it names, on the same rows and labels.

    The rows are those of the variant that is compared with, and so are their labels: a variant with more rows, such as
    further landmarks, is judged on these alone. One that lacks whole landmarks is compared on the others; one that
    lacks single rows cannot be compared.

    Args:
        experiments: which variant is compared with which.
        evaluation: how to evaluate.
        results: of the variants that were run.
        scores: by variant, the scores out of fold.

    Returns:
        One row per variant that was run, in the order of the configuration: its scores with 95 % intervals and what
        random scores reach, the difference in average precision with its interval, seconds, and the peak of memory
        (MiB). A variant without scores has the reason in ``error``.
    """
    known = [name for name in experiments.variants if name in results.root]
    loaded = {name: scores[name]() for name in known if results.root[name].error is None}
    rows = []
    for name in known:
        result, against = results.root[name], experiments.compared_with(name)
        row: dict[str, Any] = {
            "variant": name,
            "asks": experiments.variants[name].asks,
            "algorithm": result.algorithm,
            "against": None if against == name else against,
            "settings": result.settings,
            "features": result.features,
            "seconds": round(result.seconds, 1),
            "peak_memory_mib": round(result.peak_memory_bytes / _MIB),
            "error": result.error,
        }
        if result.error is None and against not in loaded:
            row["error"] = f"{against}, with which it is compared, has no scores"
        elif result.error is None:
            row |= _compared(loaded[name], loaded[against], against, evaluation)
        rows.append(row)
    columns = [*_ABOUT, *_SCORES, "settings", "features", "seconds", "peak_memory_mib", "error"]
    return pd.DataFrame(rows).reindex(columns=columns)


_ABOUT = ("variant", "asks", "algorithm", "against")
_SCORES = (
    "rows", "positives",
    "average_precision", "average_precision_low", "average_precision_high",
    "average_precision_by_chance", "average_precision_by_chance_95th",
    "auc_roc", "auc_roc_low", "auc_roc_high", "auc_roc_by_chance_95th",
    "difference", "difference_low", "difference_high", "verdict",
)  # fmt: skip


def _run(variant: Variant, algorithm: str, print_of_variant: str) -> _Made:
    """Run a variant; what goes wrong is the result."""
    started, error = time.perf_counter(), None
    scores: pd.DataFrame | None = None
    report: SearchReport | None = None
    with peak_memory() as peak:
        try:
            out_of_fold, found = variant.run().values()
            if isinstance(found, Skipped):
                error = found.reason
            else:
                report = found
                scores = out_of_fold.toPandas().sort_values(list(KEYS), ignore_index=True)
        except Exception as failure:  # whatever it is, the other variants run
            error = error_message(failure)
    return _Made(
        ExperimentResult(
            fingerprint=print_of_variant,
            algorithm=algorithm,
            settings="" if report is None else _in_words(report),
            features=0 if report is None else len(report.features),
            seconds=time.perf_counter() - started,
            peak_memory_bytes=peak.bytes,
            error=error,
        ),
        scores,
    )


def _in_words(report: SearchReport) -> str:
    """The settings that the search has chosen: ``regParam 0.1, feature_set compact``."""
    return ", ".join(f"{name} {value}" for name, value in report.best.settings.items())


def _compared(one: pd.DataFrame, other: pd.DataFrame, against: str, evaluation: Evaluation) -> dict[str, Any]:
    """The scores of a variant on the rows of another, and the difference between both."""
    both = other.merge(one[[*KEYS, "score"]], on=list(KEYS), how="left", suffixes=("_of_other", ""))
    # Landmarks that a variant does not have, all of them, leave a fair sample; single rows might be the difficult ones.
    unscored = both.groupby("bin_end")["score"].agg(lambda score: score.isna().mean())
    if unscored.between(0, 1, inclusive="neither").any() or (unscored == 1).all():
        return {"error": f"{int(both['score'].isna().sum())} of the {len(both)} rows of {against} have no score"}
    common = both[both["score"].notna()].reset_index(drop=True)
    judged = common[[*KEYS, "label", "score"]]
    scores = ranking_report(judged, evaluation)
    difference = paired_difference(judged, judged.assign(score=common["score_of_other"]), evaluation)
    intervals = {
        "average_precision": scores.average_precision_interval,
        "auc_roc": scores.auc_roc_interval,
        "difference": difference.interval,
    }
    chance = scores.chance
    return {
        "rows": scores.rows,
        "positives": scores.positives,
        "average_precision": scores.average_precision,
        "average_precision_by_chance": chance.average_precision_mean if chance else None,
        "average_precision_by_chance_95th": chance.average_precision_95th if chance else None,
        "auc_roc": scores.auc_roc,
        "auc_roc_by_chance_95th": chance.auc_roc_95th if chance else None,
        "difference": difference.average_precision,
        **{f"{name}_low": edges[0] if edges else None for name, edges in intervals.items()},
        **{f"{name}_high": edges[1] if edges else None for name, edges in intervals.items()},
        "verdict": None if one is other else _verdict(difference.interval),
    }


def _verdict(interval: tuple[float, float] | None) -> str:
    """Better or worse only where the whole interval is on one side of zero."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "no difference shown"
    return "better" if interval[0] > 0 else "worse"
