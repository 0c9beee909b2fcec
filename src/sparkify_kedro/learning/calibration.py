"""From a classifier's raw scores to probabilities that mean what they say."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.ml import Model, Transformer
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import VectorSlicer
from pyspark.ml.linalg import DenseMatrix
from pyspark.sql import DataFrame

# What a calibrated model adds to its rows: the classifier's raw scores and its own margin under names of their own,
# so that Spark's usual ``probability`` is the calibrated one.
RAW_SCORES, MARGIN = "raw_scores", "margin"
# Out-of-fold scores without any signal would otherwise turn the order of the scores around, or make them all equal.
LEAST_SLOPE = 1e-3


class Calibration(NamedTuple):
    """Platt's sigmoid: probability = 1 / (1 + exp(-(slope * margin + intercept)))."""

    model: LogisticRegressionModel

    @property
    def slope(self) -> float:
        """Log-odds per unit of margin."""
        return float(self.model.coefficients[0])

    @property
    def intercept(self) -> float:
        """Log-odds at margin 0."""
        return float(self.model.intercept)


def expose_margin(classifier: Model) -> list[Transformer]:
    """The classifier and the stage after it, which give each row its margin: the raw score of label 1."""
    classifier.setRawPredictionCol(RAW_SCORES).setProbabilityCol("").setPredictionCol("")
    return [classifier, VectorSlicer(inputCol=RAW_SCORES, outputCol=MARGIN, indices=[1])]


def fit_calibration(margins: DataFrame) -> Calibration:
    """Fit Platt's sigmoid (Platt 1999, "Probabilistic outputs for support vector machines").

    Fitted on rows at natural prevalence that the scoring models have not seen, it undoes what down-sampling shifts and
    what over-confidence spreads.

    Args:
        margins: rows with ``margin`` (a vector of one) and ``label`` (0 or 1).

    Returns:
        The sigmoid, with a slope of at least ``LEAST_SLOPE``, so that it never changes the order of scores. Only where
        all margins are equal is it 0: then every row gets the prevalence.
    """
    estimator = LogisticRegression(
        featuresCol=MARGIN,
        maxIter=100,
        lowerBoundsOnCoefficients=DenseMatrix(1, 1, [LEAST_SLOPE]),
    )
    return Calibration(estimator.fit(margins))
