"""A scoring run as it lies in storage, written by hand: three users, and a champion of three features."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from partial_reports import report
from sparkify_kedro.churn.portable_model import PortableModel
from sparkify_kedro.churn.reports import ChampionMetadata

FORECAST = "will_churn_in_next_bin"
FEATURES = ["page_roll_advert", "page_thumbs_down", "log_tenure_days"]
MEANS = [10.0, 1.0, 4.0]
COEFFICIENTS, INTERCEPT = [0.1, 0.5, -0.2], -1.0
# More than 20 adverts raise the risk.
TREE: dict[str, Any] = {
    "feature": [0, -1, -1], "threshold": [20.0, -1.0, -1.0], "left": [1, -1, -1], "right": [2, -1, -1],
    "value": [0.0, -1.0, 1.0], "rows": [10.0, 6.0, 4.0],
}  # fmt: skip
# The calibration halves the margin and adds 0.25.
CALIBRATION = {"slope": 0.5, "intercept": 0.25}
# By rank: the user, the probability that was stored, and the features. Half of all have 4 adverts, dislike 2 songs, and
# have been registered for exp(4) = 55 days.
USERS = [
    ("17", 0.75, [30, 2, 4.0]),
    ("a/b ü", 0.5, [4, 2, 2.0]),
    ("3", 0.25, [0, 0, 5.0]),
]
AS_OF = datetime(2018, 11, 30, 23, 59, 55, tzinfo=UTC)


class StoredRun(NamedTuple):
    """A run in the data folder of a project.

    Args:
        project: its folder.
        version: the run's id.
        shift: is added to each stored probability, so that answers tell runs apart.
        users: 3, or 0 where nobody was scored.
    """

    project: Path
    version: str
    shift: float = 0.0
    users: int = 3

    def write(self, trees: list[dict[str, Any]] | None = None, algorithm: str = "logistic_regression") -> StoredRun:
        """The whole run, in the order in which a run writes."""
        self.write_champion(trees, algorithm)
        self.write_rows()
        self.write_scores()
        self.complete("07_model_output/churn_scores", self.made_from())
        return self

    def made_from(self) -> dict[str, str]:
        names = ("rows_to_score", f"{FORECAST}.champion", f"{FORECAST}.champion_metadata")
        return dict.fromkeys(names, self.version)

    def write_champion(self, trees: list[dict[str, Any]] | None = None, algorithm: str = "logistic_regression") -> None:
        is_linear = algorithm == "logistic_regression"
        model = f"model of {self.version}"
        metadata = report(
            ChampionMetadata,
            {
                "model": model, "label": FORECAST, "algorithm": algorithm, "features": FEATURES, "threshold": 0.4,
                "feature_set": "toy", "verdict": "adequate",
                "feature_engineering": {
                    "labels": {FORECAST: {"event": "cancellation", "horizon_days": 14}}, "time_bin_days": 14,
                },
                "profile": {name: {"mean": mean} for name, mean in zip(FEATURES, MEANS, strict=True)},
            },
        )  # fmt: skip
        portable = report(
            PortableModel,
            {
                "model": model, "label": FORECAST, "algorithm": algorithm, "horizon_days": 14, "features": FEATURES,
                "means": MEANS, "coefficients": COEFFICIENTS if is_linear else None,
                "intercept": INTERCEPT if is_linear else None, "trees": trees, "calibration": CALIBRATION,
            },
        )  # fmt: skip
        for name, content in (("champion_metadata", metadata), ("portable_champion", portable.signed())):
            dataset = f"06_models/{FORECAST}/{name}.json"
            path = self.path(dataset)
            path.parent.mkdir(parents=True)
            path.write_text(content.model_dump_json())
            self.complete(dataset, {})

    def write_rows(self) -> None:
        columns = {name: [features[at] for _, _, features in USERS] for at, name in enumerate(FEATURES)}
        devices = {"device": ["mac", "mac", "ipad"]}
        # Spark writes several files, in no order.
        rows = pa.table({"user_id": [user for user, _, _ in USERS], **columns, **devices, "bin_end": [0, 0, 0]})
        self._write_table("rows_to_score", rows.take([2, 0, 1]) if self.users else rows.slice(0, 0))
        self.complete("07_model_output/rows_to_score", {})

    def write_scores(self) -> None:
        scores = pa.table(
            {
                "user_id": [user for user, _, _ in USERS],
                "as_of": pa.array([AS_OF.replace(tzinfo=None)] * 3, pa.timestamp("ns")),
                "horizon_days": pa.array([14] * 3, pa.int32()),
                "probability": [probability + self.shift for _, probability, _ in USERS],
                "rank": pa.array([1, 2, 3], pa.int32()),
                "decile": pa.array([1, 4, 7], pa.int32()),
            }
        )
        self._write_table("churn_scores", scores.take([1, 2, 0]) if self.users else scores.slice(0, 0))

    def complete(self, dataset: str, inputs: dict[str, str]) -> None:
        """The provenance, which a run writes last."""
        path = self.path(dataset)
        made = {name: {"version": version, "fingerprint": ""} for name, version in inputs.items()}
        path.with_name(f"{path.name}.provenance.json").write_text(json.dumps({"inputs": made}))

    def path(self, dataset: str) -> Path:
        return self.project / "data" / dataset / self.version / Path(dataset).name

    def _write_table(self, name: str, table: pa.Table) -> None:
        folder = self.path(f"07_model_output/{name}")
        folder.mkdir(parents=True)
        pq.write_table(table.slice(0, 2), folder / "part-00000.snappy.parquet")
        pq.write_table(table.slice(2), folder / "part-00001.snappy.parquet")
        (folder / "_SUCCESS").touch()
