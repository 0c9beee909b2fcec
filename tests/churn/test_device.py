"""The device family of user agents as browsers send them."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkify_kedro.churn.device import DEVICES, device_family, device_flags

USER_AGENTS = [
    ("Mozilla/5.0 (iPad; CPU OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 Version/7.0 Mobile/11D257", "ipad"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 Mobile/11D257", "iphone"),
    ("Mozilla/5.0 (Linux; Android 4.4.2; SM-G900V) AppleWebKit/537.36 Chrome/36.0 Mobile Safari/537.36", "android"),
    ("Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 Chrome/36.0 Safari/537.36", "windows"),
    ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)", "windows"),
    ('"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 Safari/537.77.4"', "mac"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:31.0) Gecko/20100101 Firefox/31.0", "linux"),
    ("Mozilla/5.0 (PlayStation 4 1.75) AppleWebKit/536.26", "other"),
    ("", "other"),
    (None, "other"),
]


def test_families(spark: SparkSession) -> None:
    agents = spark.createDataFrame([(agent,) for agent, _ in USER_AGENTS], "user_agent string")
    families = agents.select("user_agent", device_family(F.col("user_agent")).alias("device")).collect()
    assert [tuple(row) for row in families] == USER_AGENTS


def test_a_device_has_one_flag(spark: SparkSession) -> None:
    assert set(DEVICES) == {family for _, family in USER_AGENTS}
    devices = spark.createDataFrame([(family,) for family in DEVICES], "device string")
    for row in devices.withColumns(device_flags()).collect():
        flags = {name: value for name, value in row.asDict().items() if name != "device"}
        assert flags == {f"device_{family}": int(family == row.device) for family in DEVICES}
