"""Ratios, matching of rows, and turns, without any peer: python -m pytest Benchmarks/peers"""
import json
import pathlib
import subprocess
import sys

import pytest

from interleave import ahead, compare, label, table

PROGRAM = pathlib.Path(__file__).with_name("interleave.py")


def row(what, unit, median, spread=0.0, **shape):
    return {"what": what, **shape, "unit": unit, "median": median, "min": median - spread, "max": median + spread}


def report(peer, *rows):
    return {"peer": peer, "version": "1", "results": list(rows)}


def test_a_rate_is_ahead_where_ours_is_larger():
    assert ahead(row("prefill", "tokens/s", 240), row("prefill", "tokens/s", 40)) == 6


@pytest.mark.parametrize("unit", ["ms/image", "s", "GB"])
def test_a_time_or_a_size_is_ahead_where_ours_is_smaller(unit):
    assert ahead(row("load", unit, 2), row("load", unit, 8)) == 4


def test_different_units_are_refused():
    with pytest.raises(ValueError, match="load: in s and in ms"):
        ahead(row("load", "s", 2), row("load", "ms", 8))


def test_ratios_are_of_one_round_each():
    # The machine is half as fast in the second round: the figures spread, the ratio does not.
    ours = [report("radialogd", row("decode", "tokens/s", value, 1, tokens=256, sequences=4)) for value in (8, 4, 9)]
    theirs = [report("llama.cpp", row("decode", "tokens/s", value, 1, tokens=256, sequences=4)) for value in (4, 2, 3)]
    [found] = compare(ours, theirs)
    assert found["ratio"] == {"median": 2, "min": 2, "max": 3}
    assert found["ours"] == {"median": 8, "min": 3, "max": 10}
    assert found["theirs"] == {"median": 3, "min": 1, "max": 5}
    assert (found["peer"], found["what"], found["sequences"]) == ("llama.cpp", "decode", 4)


def test_rows_match_by_shape_and_not_by_what_stands_beside_it():
    ours = report("radialogd", row("trunk", "ms/image", 10, side=448, images=1), row("trunk", "ms/image", 20, side=488, images=1), row("study", "s", 15))
    theirs = report("openvino", row("trunk", "ms/image", 40, side=488, images=1) | {"error": 0.01}, row("trunk", "ms/image", 9, side=488, images=8))
    [found] = compare([ours], [theirs])
    assert found["ratio"]["median"] == 2


@pytest.mark.parametrize("shape, text", [
    ({"what": "decode", "tokens": 256, "sequences": 1}, "decode, 256 tokens, 1 sequence"),
    ({"what": "trunk", "side": 448, "images": 8}, "trunk, side 448, 8 images"),
    ({"what": "load"}, "load"),
])
def test_labels(shape, text):
    assert label(shape) == text


def test_a_table_has_a_line_for_each_comparison():
    found = compare([report("radialogd", row("load", "s", 2))], [report("llama.cpp", row("load", "s", 8, 1))])
    assert table(found).splitlines()[2:] == ["| load | s | 2 (2-2) | llama.cpp | 8 (7-9) | 4 (4-4) |"]


def test_programs_take_turns(tmp_path):
    log = tmp_path / "log"

    def command(peer, speed):
        script = tmp_path / f"{peer}.py"
        printed = json.dumps(report(peer, row("prefill", "tokens/s", speed, tokens=64)))
        script.write_text(f"open({str(log)!r}, 'a').write({peer + ' '!r})\nprint({printed!r})\n")
        return f"{sys.executable} {script}"

    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(report("saved", row("prefill", "tokens/s", 2, tokens=64), row("prefill", "tokens/s", 2, tokens=512))))
    done = subprocess.run(
        [sys.executable, PROGRAM, "--ours", command("ours", 10), "--peer", command("theirs", 4), "--peer", saved, "--rounds", "2", "--json"],
        capture_output=True, text=True, check=True)
    assert log.read_text() == "ours theirs ours theirs "
    assert [(entry["peer"], entry["ratio"]["median"]) for entry in json.loads(done.stdout)["comparisons"]] == [("theirs", 2.5), ("saved", 5)]
    assert done.stderr == "not compared, saved alone has it: prefill, 512 tokens\n"


def test_a_program_that_fails_ends_the_comparison():
    done = subprocess.run([sys.executable, PROGRAM, "--ours", "false", "--peer", "true"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "false: exit status 1\n"
