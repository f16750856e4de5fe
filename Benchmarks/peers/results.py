"""The JSON object that each program here prints, and that interleave.py reads: who was timed, and a row for each thing that was."""
import json
import statistics
from collections.abc import Sequence
from typing import Any


def row(what: str, unit: str, values: Sequence[float], **shape: int) -> dict[str, Any]:
    """`shape`: what tells this row from others of the same name, for example tokens=256, sequences=1."""
    return {"what": what, **shape, "unit": unit, "median": statistics.median(values), "min": min(values), "max": max(values)}


def report(peer: str, version: str, rows: list[dict[str, Any]], **about: Any) -> None:
    print(json.dumps({"peer": peer, "version": version, **about, "results": rows}))
