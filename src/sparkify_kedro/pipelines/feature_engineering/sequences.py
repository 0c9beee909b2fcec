"""The activity of earlier landmarks in a row, for models that read a user's landmarks one after the other."""

from __future__ import annotations

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from sparkify_kedro.churn.vocabulary import LANDMARKS_EARLIER

REPEATED = (
    "log_sessions_per_day_in_time_bin",
    "log_songs_per_day_in_time_bin",
    "paid_time_share_in_time_bin",
    "thumbs_up_per_1000_songs_in_time_bin",
    "thumbs_down_per_1000_songs_in_time_bin",
    "adverts_per_1000_songs_in_time_bin",
)


def earlier_landmarks(count: int) -> dict[str, Column]:
    """The features of up to so many landmarks before, and how many of them the user has; none where it is 0.

    A feature of a landmark that the user does not have is 0.
    """
    of_user = Window.partitionBy("user_id").orderBy("bin_end")
    columns = {
        f"{name}_{number}_earlier": F.lag(name, number, 0.0).over(of_user)
        for number in range(1, count + 1)
        for name in REPEATED
    }
    known = F.least(F.row_number().over(of_user) - 1, F.lit(count)).cast("double")
    return {**columns, LANDMARKS_EARLIER: known} if count else {}
