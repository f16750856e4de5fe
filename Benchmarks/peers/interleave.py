"""Runs radialogd's benchmark and its peers in turn (A B C A B C ...), so that a noisy machine is noisy for all of them, and prints ratios.

    python Benchmarks/peers/interleave.py --ours COMMAND --peer COMMAND [--peer COMMAND ...] [--rounds N] [--json]

COMMAND prints one JSON object (README.md); the name of a file ending in .json stands for one that was printed before. A ratio is taken of the medians of
one round, and says how many times radialogd is ahead: rates (units ending in "/s") ours by theirs, everything else theirs by ours.
Prints a Markdown table, or with --json one JSON object.
"""
import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import sys
from typing import Any

Report = dict[str, Any]
Key = tuple[tuple[str, Any], ...]
# What says that two rows are about the same thing; everything else in a row is for information.
SHAPE = ("what", "tokens", "sequences", "side", "images")


def ask(command: str) -> Report:
    if command.endswith(".json"):
        return json.loads(pathlib.Path(command).read_text())
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: exit status {done.returncode}")
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError as error:
        sys.exit(f"{command}: its output is no JSON object: {error}")


def rows(report: Report) -> dict[Key, dict[str, Any]]:
    return {tuple((name, row[name]) for name in SHAPE if name in row): row for row in report["results"]}


def summary(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def over_rounds(found: list[dict[str, Any]]) -> dict[str, float]:
    """One row in all rounds: the median of the medians, and the extremes of all."""
    return {
        "median": statistics.median(row["median"] for row in found), "min": min(row["min"] for row in found), "max": max(row["max"] for row in found)}


def ahead(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    if ours["unit"] != theirs["unit"]:
        raise ValueError(f"{ours['what']}: in {ours['unit']} and in {theirs['unit']}")
    pair = (ours["median"], theirs["median"]) if ours["unit"].endswith("/s") else (theirs["median"], ours["median"])
    return pair[0] / pair[1]


def compare(ours: list[Report], theirs: list[Report]) -> list[dict[str, Any]]:
    """One entry for each row that both have, in the peer's order. Both lists: one report a round."""
    our_rounds, their_rounds = [rows(report) for report in ours], [rows(report) for report in theirs]
    result = []
    for key, row in their_rounds[0].items():
        if key not in our_rounds[0]:
            continue
        pairs = [(mine[key], other[key]) for mine, other in zip(our_rounds, their_rounds, strict=True)]
        result.append({
            "peer": theirs[0]["peer"], **dict(key), "unit": row["unit"],
            "ours": over_rounds([mine for mine, _ in pairs]), "theirs": over_rounds([other for _, other in pairs]),
            "ratio": summary([ahead(mine, other) for mine, other in pairs]),
        })
    return result


def label(comparison: dict[str, Any]) -> str:
    """For example "decode, 256 tokens, 16 sequences"."""
    parts = [comparison["what"]]
    for name in SHAPE[1:]:
        if name in comparison:
            plural = name if comparison[name] != 1 else name.removesuffix("s")
            parts.append(f"{comparison[name]} {plural}" if name != "side" else f"side {comparison[name]}")
    return ", ".join(parts)


def span(values: dict[str, float]) -> str:
    return f"{values['median']:.3g} ({values['min']:.3g}-{values['max']:.3g})"


def table(comparisons: list[dict[str, Any]]) -> str:
    lines = ["| what | unit | radialogd | peer | | ahead |", "| --- | --- | --- | --- | --- | --- |"]
    for found in comparisons:
        lines.append(f"| {label(found)} | {found['unit']} | {span(found['ours'])} | {found['peer']} | {span(found['theirs'])} | {span(found['ratio'])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, metavar="COMMAND")
    parser.add_argument("--peer", required=True, action="append", metavar="COMMAND", dest="peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    commands = [options.ours, *options.peers]
    rounds = [[ask(command) for command in commands] for _ in range(options.rounds)]
    ours, *peers = zip(*rounds)
    comparisons = [entry for theirs in peers for entry in compare(list(ours), list(theirs))]
    for report in rounds[0][1:]:
        for key in rows(report).keys() - rows(rounds[0][0]).keys():
            print(f"not compared, {report['peer']} alone has it: {label(dict(key))}", file=sys.stderr)
    print(json.dumps({"rounds": options.rounds, "reports": rounds, "comparisons": comparisons}) if options.json else table(comparisons))


if __name__ == "__main__":
    main()
