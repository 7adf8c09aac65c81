"""The command line: `lottery-jax gap | rss | proof | network | limit | quantized | features | ...`.

Parses, calls, prints.
"""

import argparse
import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax

from lottery_jax import (
    curves,
    experiments,
    features,
    gap,
    network_run,
    precision,
    rss,
    stores,
    study,
)
from lottery_jax.arguments import STUDIES, make_parser
from lottery_jax.core import keys
from lottery_jax.core.compat import use_all_cores
from lottery_jax.limit import network as pruned_network
from lottery_jax.limit import network_report
from lottery_jax.montecarlo.collect import count_chunks, estimate
from lottery_jax.montecarlo.experiment import check_epsilons
from lottery_jax.proof import table
from lottery_jax.report.tables import format_cell
from lottery_jax.weight_pruning import expanded

_FILES = ("csv", "jsonl", "png")  # of a run that draws


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for bad input, 130 when interrupted."""
    try:
        options = parse(arguments)
    except SystemExit as end:  # --help, --version, or words that cannot be parsed
        return int(end.code or 0)
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
        try:
            _share_out_cores()
            options.command(options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            is_kept = getattr(options, "out", None) is not None
            _say(
                "stopped; what was counted is stored, and the same command goes on from there"
                if is_kept
                else "stopped; name a store with --out to be able to go on next time"
            )
            return 130
        except BrokenPipeError:  # the reader of our output, `head` for one, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, FloatingPointError, MemoryError) as error:
            _say(str(error))
            return 2
        except OSError as error:
            _say(f"{error.filename}: {error.strerror}; name another place with --out")
            return 2
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options behind the words; `.command` takes them. Exits where they cannot be parsed."""
    return make_parser(_COMMANDS).parse_args(arguments)


def _say(text: str) -> None:
    print(f"lottery-jax: {text}", file=sys.stderr)


def _share_out_cores() -> None:
    """Use every core, unless another number of devices was asked for or jax already runs."""
    is_chosen = "device_count" in os.environ.get("XLA_FLAGS", "")
    if not is_chosen and jax.config.jax_num_cpu_devices == -1:  # type: ignore[attr-defined]
        with contextlib.suppress(RuntimeError):
            use_all_cores()


def _gap(options: argparse.Namespace) -> None:
    _measure(gap, "gap", options, open_store=gap.open_store, write=gap.write)


def _rss(options: argparse.Namespace) -> None:
    _measure(rss, "rss", options, open_store=rss.open_store, write=rss.write)


def _study(options: argparse.Namespace) -> None:
    module = STUDIES[options.name]
    _measure(
        module,
        options.name,
        options,
        open_store=partial(study.open_store, module),
        write=partial(study.write, module),
    )


def _measure(module, name: str, options: argparse.Namespace, *, open_store, write) -> None:
    """Measure, print and draw one run."""
    setup = module.QUICK if options.quick else module.FULL
    key = keys.root(options.seed)
    if options.dry_run:
        print(module.plan(setup))
        return
    folder = _make_folder(options)
    store = open_store(folder)
    rows = module.measure(setup, key=key, store=store, progress=not options.silent)
    write(rows, folder)
    print(module.describe(rows))
    _say_written(folder, *(f"{name}.{end}" for end in _FILES))


def _make_folder(options: argparse.Namespace) -> Path:
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _say_written(folder: Path, *names: str) -> None:
    print(f"\nwritten: {', '.join(str(folder / name) for name in names)}")


def _proof(options: argparse.Namespace) -> None:
    key = keys.root(options.seed)
    if options.dry_run:
        print(table.plan(quick=options.quick))
        return
    folder = _make_folder(options)
    found = table.judge(folder, quick=options.quick, key=key, progress=not options.silent)
    print(table.describe(found))
    _say_written(folder, "verdicts.csv")
    print(f"beside it, {', '.join(f'*.{end}' for end in _FILES)}: {', '.join(table.STUDIES)}")


def _quantized(options: argparse.Namespace) -> None:
    _run_all(precision.HEADLINE, options)


def _features(options: argparse.Namespace) -> None:
    _run_all(features.HEADLINE, options)


def _run_all(studies: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Run several studies into one folder, and print what they say."""
    key, quick = keys.root(options.seed), options.quick
    if options.dry_run:
        print(study.plan_all(studies, quick=quick))
        return
    folder = _make_folder(options)
    print(study.run_all(studies, folder, quick=quick, key=key, progress=not options.silent))
    _say_written(folder, *(f"{name}.{end}" for name in studies for end in _FILES))


def _network(options: argparse.Namespace) -> None:
    chosen = (options.construction,) if options.construction else expanded.CONSTRUCTIONS
    setup = (network_run.QUICK if options.quick else network_run.FULL)._replace(
        data=options.data,
        epsilon=options.epsilon,
        num_items=options.items,
        law=options.law,
        constructions=chosen,
    )
    key = keys.root(options.seed)
    plan = network_run.plan(setup, key=key)  # checks the settings
    if options.dry_run:
        print(plan)
        return
    folder = _make_folder(options)
    rows = network_run.measure(setup, key=key, folder=folder, progress=not options.silent)
    network_run.write(rows, folder)
    print(network_run.describe(rows))
    _say_written(folder, "network.csv", "network.jsonl")


def _limit(options: argparse.Namespace) -> None:
    setup = pruned_network.choose_setup(
        quick=options.quick,
        model=options.model,
        hidden=options.hidden,
        data=options.data,
        epsilon=options.epsilon,
        negative=options.negative,
        products=options.products,
        examples=options.examples,
        **{name: getattr(options, name) for name in pruned_network.TRAINING},
    )
    plan = network_report.plan(setup)  # checks the settings
    if options.dry_run:
        print(plan)
        return
    folder = _make_folder(options)
    key = keys.root(options.seed)
    result = pruned_network.measure(setup, key=key, folder=folder, progress=not options.silent)
    network_report.write(result, folder)
    print(network_report.describe(result))
    _say_written(folder, *network_report.FILES)


def _run(options: argparse.Namespace) -> None:
    names = experiments.settings_of(options.name)
    experiment = experiments.build(options.name, {name: getattr(options, name) for name in names})
    key, epsilons = keys.root(options.seed), check_epsilons(options.epsilons)
    trials = 1 if options.quick else options.trials
    chunks = len(range(options.shard[0], count_chunks(experiment, trials), options.shard[1]))
    if options.dry_run:
        seconds, size = curves.cost(experiment, draws=chunks * experiment.lanes)
        print(
            f"{options.name}: {len(epsilons)} accuracies, {chunks} chunks of {experiment.lanes} "
            f"draws, about {format_cell(seconds)} s on one core after compiling, "
            f"{format_cell(size)} MiB for each draw at work"
        )
        return
    print(
        estimate(
            experiment,
            key=key,
            trials=trials,
            epsilons=epsilons,
            store=None if options.out is None else stores.open_store(options.out, options.name),
            shard=options.shard,
            progress=not options.silent,
        )
    )


def _list(options: argparse.Namespace) -> None:
    del options
    for name, each in STUDIES.items():
        print(f"{name}\n    {each.QUESTION}\n    lottery-jax run {name}\n")
    for name, entry in experiments.CATALOGUE.items():
        settings = " ".join(map(_usage, experiments.settings_of(name).values()))
        print(f"{name}\n    {entry.question}\n    lottery-jax run {name} {settings}\n")


def _usage(setting: inspect.Parameter) -> str:
    flag = f"--{setting.name.replace('_', '-')}"
    if setting.default is setting.empty:
        return f"{flag} {setting.name.upper()}"
    return f"[{flag} {setting.default}]"


_COMMANDS = {
    "gap": _gap,
    "rss": _rss,
    "proof": _proof,
    "network": _network,
    "limit": _limit,
    "quantized": _quantized,
    "features": _features,
    "study": _study,
    "run": _run,
    "list": _list,
    "plot": stores.plot,
    "info": stores.info,
    "merge": stores.merge,
}


if __name__ == "__main__":
    sys.exit(main())
