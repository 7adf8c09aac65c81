"""Run the cases, append their rows to a JSON-lines file, and print one table.

Usage: python -m benchmarks [CASE ...] [--out benchmarks/results/NAME.jsonl]
"""

import argparse
import json
import platform
import time
from pathlib import Path

import jax

import lottery_jax as lj
from benchmarks.cases import CASES
from lottery_jax.report.tables import format_table


def main() -> None:
    """Parse, run, store, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/PLATFORM.jsonl")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}; choose from {', '.join(CASES)}")
    lj.use_all_cores()
    device = jax.devices()[0]
    out = options.out or Path(__file__).parent / "results" / f"{device.platform}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "devices": f"{len(jax.devices())} x {device.device_kind}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    results = []
    for name in options.cases or CASES:
        for result in CASES[name]():
            results.append(result)
            with open(out, "a", encoding="utf-8") as file:
                file.write(json.dumps(result._asdict() | machine) + "\n")
            print(f"{result.case}: {result.ratio:.3g} x {result.rival}", flush=True)
    header = [
        "case",
        "rival",
        "ours/s",
        "rival/s",
        "ratio",
        "compile s",
        "checked",
        "agree",
        "goal",
    ]
    rows = [
        [
            r.case,
            r.rival,
            r.ours_per_second,
            r.rival_per_second,
            r.ratio,
            r.compile_seconds,
            r.checked,
            "yes" if r.agree else "NO",
            r.goal,
        ]
        for r in results
    ]
    print(f"\n{machine['devices']}, jax {machine['jax']}; rows in {out}\n")
    print(format_table(header, rows))


if __name__ == "__main__":
    main()
