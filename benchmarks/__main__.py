"""Run the cases, append their rows to a JSON-lines file, and print one table.

Usage: python -m benchmarks [CASE ...] [--quick | --long] [--out benchmarks/results/NAME.jsonl]

Exits with 1 where answers disagree. Rivals that are not installed are skipped, with a line that
says what to install.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import jax

import lottery_jax as lj
from benchmarks.bounds import Bound
from benchmarks.cases import CASES
from benchmarks.extras import how_to_install
from benchmarks.timing import Missing, Result
from lottery_jax.report.tables import format_table


def main() -> int:
    """Parse, run, store, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, no goals, no file")
    size.add_argument("--long", action="store_true", help="the largest sizes too")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/PLATFORM.jsonl")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}; choose from {', '.join(CASES)}")
    lj.use_all_cores()
    scale = "quick" if options.quick else "long" if options.long else "full"
    device = jax.devices()[0]
    out = options.out
    if out is None and not options.quick:
        out = Path(__file__).parent / "results" / f"{device.platform}.jsonl"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "devices": f"{len(jax.devices())} x {device.device_kind}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    rows, missing = [], []
    for name in options.cases or CASES:
        for row in CASES[name](scale):
            if isinstance(row, Missing):
                missing.append(row)
                continue
            rows.append(row)
            if out is not None:
                with open(out, "a", encoding="utf-8") as file:
                    file.write(json.dumps(row._asdict() | machine) + "\n")
            print(_progress(row), file=sys.stderr, flush=True)
    print(f"{machine['devices']}, jax {machine['jax']}; rows in {out or 'no file'}")
    results = [row for row in rows if isinstance(row, Result)]
    bounds = [row for row in rows if isinstance(row, Bound)]
    if results:
        print("\n" + _results_table(results))
    if bounds:
        print("\n" + _bounds_table(bounds))
    if missing:
        print("\n" + "\n".join(dict.fromkeys(map(how_to_install, missing))))
    return 0 if all(result.agree for result in results) else 1


def _progress(row: Result | Bound) -> str:
    if isinstance(row, Bound):
        return f"{row.kernel}: {row.operations_per_second:.3g} operations/s"
    return f"{row.case}: {row.ratio:.3g} x {row.rival}{'' if row.agree else ' ANSWERS DIFFER'}"


def _results_table(results: list[Result]) -> str:
    first = ["case", "rival", "clock", "ours/s", "rival/s", "ratio", "goal"]
    header = [*first, "compile s", "its compile s", "checked", "agree", "note"]
    rows = [
        [
            r.case,
            r.rival,
            r.clock,
            r.ours_per_second,
            r.rival_per_second,
            r.ratio,
            r.goal,
            r.compile_seconds,
            r.rival_compile_seconds,
            r.checked,
            "yes" if r.agree else "NO",
            r.note,
        ]
        for r in results
    ]
    return format_table(header, rows)


def _bounds_table(bounds: list[Bound]) -> str:
    first = ["kernel", "operations", "bytes", "operations/s", "bytes/s"]
    header = [*first, "of rate", "of cache", "of memory"]
    return format_table(header, [list(bound[: len(header)]) for bound in bounds])


if __name__ == "__main__":
    sys.exit(main())
