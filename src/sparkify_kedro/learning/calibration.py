"""Calibration: from a classifier's margin to a probability."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyspark.ml import Transformer
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import VectorSlicer
from pyspark.ml.linalg import DenseMatrix
from pyspark.sql import DataFrame

# The columns that a calibrated model adds: raw scores and margin have their own names, so that Spark's usual
# ``probability`` is the calibrated one.
RAW_SCORES, MARGIN = "raw_scores", "margin"


class Calibration(NamedTuple):
    """Platt's sigmoid: probability = 1 / (1 + exp(-(slope * margin + intercept)))."""

    model: LogisticRegressionModel

    @property
    def slope(self) -> float:
        """Log-odds per unit of margin."""
        return float(self.model.coefficients.toArray()[0])

    @property
    def intercept(self) -> float:
        """Log-odds at margin 0."""
        return float(self.model.intercept)


def expose_margin(classifier: Any) -> list[Transformer]:
    """The classifier and a stage after it, which add the margin to each row: the raw score of label 1."""
    only_raw_scores(classifier, RAW_SCORES)
    return [classifier, VectorSlicer(inputCol=RAW_SCORES, outputCol=MARGIN, indices=[1])]


def only_raw_scores(classifier: Any, name: str) -> None:
    """Let a classifier add its raw scores in a column, and nothing else."""
    classifier.setRawPredictionCol(name)
    if classifier.hasParam("predictionCol"):
        classifier.setPredictionCol("")
    if classifier.hasParam("probabilityCol"):
        classifier.setProbabilityCol("")


def only_scores(classifier: Any, name: str) -> None:
    """The same with scores by class that rank rows: probabilities, or raw scores where a classifier has only these."""
    if classifier.hasParam("probabilityCol"):
        classifier.setProbabilityCol(name).setRawPredictionCol("").setPredictionCol("")
    else:
        only_raw_scores(classifier, name)


def fit_calibration(margins: DataFrame) -> Calibration:
    """Fit Platt's sigmoid (Platt 1999, "Probabilistic outputs for support vector machines").

    Fitted at natural prevalence on rows that the scoring models have not seen, it corrects for down-sampling and for
    overconfidence.

    Args:
        margins: rows with ``margin`` (a vector of one) and ``label`` (0 or 1).

    Returns:
        The sigmoid. Its slope is not negative, so that it never reverses scores; where margins have no signal on these
        rows it is 0, and every row gets the prevalence.
    """
    estimator = LogisticRegression(
        featuresCol=MARGIN,
        maxIter=100,
        lowerBoundsOnCoefficients=DenseMatrix(1, 1, [0.0]),
    )
    return Calibration(estimator.fit(margins))
