"""The code of a node is its module and the project modules it imports; comments do not count."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sparkify_kedro.framework.runs import fingerprint
from sparkify_kedro.framework.runs.fingerprint import code_fingerprint
from sparkify_kedro.pipeline_registry import register_pipelines

CODES = """
import json
from sparkify_kedro.pipeline_registry import register_pipelines
from sparkify_kedro.framework.runs.fingerprint import code_fingerprint
print(json.dumps({node.name: code_fingerprint(node.func) for node in register_pipelines()["__default__"].nodes}))
"""


def codes(project: Path) -> dict[str, str]:
    """The hash of every node's code, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODES], cwd=project / "src", capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])  # Kedro logs before


def one(value: int) -> int:
    return value + 1


def other(value: int) -> int:
    return value + 2


def test_a_function_outside_the_package_is_hashed_by_its_bytecode() -> None:
    assert code_fingerprint(one) == code_fingerprint(one)
    assert len({code_fingerprint(function) for function in (one, other, len, max)}) == 4


def append(project: Path, file: str, text: str) -> None:
    (project / "src/sparkify_kedro" / file).open("a").write(text)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name.rpartition(".")[2] for name in before if before[name] != after[name]}


def test_a_code_change_affects_the_nodes_that_use_it(project: Path) -> None:
    """A comment affects no node, a module those that import it, a template the node that fills it."""
    before = {node.name: code_fingerprint(node.func) for node in register_pipelines()["__default__"].nodes}
    append(project, "pipelines/ingestion/nodes.py", "\n# A comment, and an empty line.\n\n")
    append(project, "pipelines/sampling/nodes.py", "\n\nSOMETHING_NEW = 1\n")
    after = codes(project)
    sampling = {"select_development", "sample_train", "sample_test", "sample_as_original"}
    assert changed(before, after) == sampling

    append(project, "pipelines/modeling/templates/model_card.md.j2", "One line more.\n")
    found = changed(after, codes(project))
    assert "write_model_card" in found
    assert not found & {*sampling, "engineer_user_time_bins", "draw_lift"}


def test_threads_may_ask_at_once() -> None:
    """Some releases of Python 3.11 raise where a thread parses while a collection interrupts the parse of another."""
    functions = [node.func for node in register_pipelines()["__default__"].nodes]
    expected = [code_fingerprint(function) for function in functions]

    def let_another_thread_run(*_: object) -> None:
        time.sleep(0)

    caches = (fingerprint._module_fingerprint, fingerprint._imports, fingerprint._syntax, fingerprint._tree)
    for cache in caches:
        cache.cache_clear()
    threshold = gc.get_threshold()
    gc.callbacks.append(let_another_thread_run)
    gc.set_threshold(100)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(code_fingerprint, functions))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(let_another_thread_run)
    assert found == expected
