"""The hooks run in the order that they declare, whatever their order in ``settings.py``."""

from __future__ import annotations

import pytest
from kedro.framework.hooks.manager import _create_hook_manager

from sparkify_kedro import settings

# Of each hook: who runs before whom.
REQUIRED = {
    # A run that is refused starts no Spark and holds no lock.
    "before_pipeline_run": [
        ("InputHooks", "SparkHooks"),
        ("LineageHooks", "SparkHooks"),
        ("InputHooks", "RunLockHooks"),
        ("LineageHooks", "RunLockHooks"),
        ("SparkHooks", "RunLockHooks"),
    ],
    # The summary lists the provenance of the version that was saved.
    "after_dataset_saved": [("LineageHooks", "RunSummaryHooks")],
    # The lock is held, and old summaries are kept, until the summary is written.
    "after_pipeline_run": [("RunSummaryHooks", "RunLockHooks"), ("RunSummaryHooks", "RetentionHooks")],
    "on_pipeline_error": [("RunSummaryHooks", "RunLockHooks")],
}


def calls(hook: str, registered: tuple[object, ...]) -> list[str]:
    """The classes that implement a hook, in the order in which pluggy calls them."""
    manager = _create_hook_manager()
    for each in registered:
        manager.register(each)
    # pluggy keeps the implementations in the reverse order of the calls.
    return [type(each.plugin).__name__ for each in reversed(getattr(manager.hook, hook).get_hookimpls())]


def violated(order: list[str], required: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(before, after) for before, after in required if order.index(before) > order.index(after)]


@pytest.mark.parametrize("hook", REQUIRED)
def test_any_registration_gives_the_required_order(hook: str) -> None:
    """Two orders are enough: of each pair, either one is registered first."""
    for registered in (settings.HOOKS, settings.HOOKS[::-1]):
        assert violated(calls(hook, registered), REQUIRED[hook]) == []


def test_a_wrong_order_is_recognized() -> None:
    assert violated(["RunLockHooks", "InputHooks"], [("InputHooks", "RunLockHooks")]) == [
        ("InputHooks", "RunLockHooks")
    ]
