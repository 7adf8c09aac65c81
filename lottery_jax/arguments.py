"""The words of the command line: which commands there are, and what they take."""

import argparse
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from lottery_jax import (
    __version__,
    data,
    experiments,
    features,
    limit,
    models,
    network_run,
    precision,
    proof,
)
from lottery_jax.training.recipe import PENALTIES
from lottery_jax.weight_pruning import expanded

Command = Callable[[argparse.Namespace], None]
STUDIES: Mapping[str, Any] = {
    **proof.STUDIES,
    **limit.STUDIES,
    **precision.STUDIES,
    **features.STUDIES,
}


class _Parser(argparse.ArgumentParser):
    """One sentence for what cannot be parsed, without the usage."""

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"lottery-jax: {message}; see {self.prog} --help\n")


def make_parser(perform: Mapping[str, Command]) -> argparse.ArgumentParser:
    """A parser whose result has the function to call as `.command`.

    Parameters
    ----------
    perform
        What each command does, by its name; "study" is a run of a study.
    """
    parser = _Parser(
        prog="lottery-jax",
        description="How likely is it that pruning alone works, and how far can it go?",
    )
    parser.add_argument("--version", action="version", version=f"lottery_jax {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help)
        command.set_defaults(command=perform[name])
        return command

    command = add("gap", "the exponential gap: table, figure and rows")
    _add_folder(command, "gap")
    _add_common(command, quick="fewer accuracies and draws")

    command = add("rss", "random subset sums: table, figure and rows")
    _add_folder(command, "rss")
    _add_common(command, quick="fewer accuracies and draws")

    command = add("proof", "the steps of the lower bound's proof: which hold, and which do not")
    _add_folder(command, "proof")
    _add_common(command, quick="fewer draws")

    command = add("network", "a trained network inside random ones: table")
    command.add_argument("--data", choices=list(network_run.DATA), default="digits28")
    command.add_argument("--epsilon", type=float, default=0.01, metavar="E", help="default: 0.01")
    command.add_argument(
        "--items", type=int, metavar="N", help="random items of one weight; default: from epsilon"
    )
    command.add_argument("--law", choices=expanded.LAWS, default="uniform")
    command.add_argument(
        "--construction", choices=expanded.CONSTRUCTIONS, help="default: one after the other"
    )
    _add_folder(command, "network")
    _add_common(command, quick="a small network, trained briefly")

    command = add("limit", "how far a trained network can be pruned: predicted and measured")
    command.add_argument(
        "--data",
        default="digits",
        metavar="NAME|PATH",
        help=f"{', '.join(data.NAMES)}, or an archive of CIFAR or Tiny ImageNet; default: digits",
    )
    command.add_argument("--model", choices=models.NAMES, default="mlp")
    command.add_argument(
        "--hidden", type=_widths, metavar="N[,N...]", help="hidden layers of an mlp"
    )
    command.add_argument("--l1", type=float, metavar="L", help="strength of the penalty")
    command.add_argument("--penalty", choices=PENALTIES, help="default: subgradient")
    command.add_argument("--learning-rate", type=float, metavar="R")
    command.add_argument("--epochs", type=int, metavar="N")
    command.add_argument("--batch", type=int, metavar="N", help="default: 128")
    command.add_argument(
        "--epsilon", type=_epsilon, default="deviation", metavar="E", help="a loss, or: deviation"
    )
    command.add_argument(
        "--negative",
        choices=("abs", "flat", "gauss_newton"),
        default="abs",
        help="eigenvalues; default: abs",
    )
    command.add_argument(
        "--products", type=int, metavar="N", help="of the curvature, for its spectrum"
    )
    command.add_argument(
        "--examples", type=int, metavar="N", help="images behind the curvature; default: all"
    )
    _add_folder(command, "limit")
    _add_common(command, quick="a small network, trained briefly")

    command = add("quantized", "quantised networks: when pruning represents them exactly")
    _add_folder(command, "quantized")
    _add_common(command, quick="fewer draws")

    command = add("features", "sparse features: how many samples pruning before training saves")
    _add_folder(command, "features")
    _add_common(command, quick="a small network and fewer samples")

    command = commands.add_parser("run", help="count the successes of one experiment, or a study")
    names = command.add_subparsers(required=True, metavar="EXPERIMENT", dest="name")
    for name, study in STUDIES.items():
        command = names.add_parser(name, help=study.QUESTION, description=study.QUESTION)
        command.set_defaults(command=perform["study"])
        _add_folder(command, name)
        _add_common(command, quick="fewer draws")
    for name, entry in experiments.CATALOGUE.items():
        command = names.add_parser(name, help=entry.question, description=entry.question)
        command.set_defaults(command=perform["run"])
        for setting in experiments.settings_of(name).values():
            _add_setting(command, setting)
        command.add_argument("--epsilons", type=_epsilons, required=True, metavar="E[,E...]")
        command.add_argument("--trials", type=int, default=10_000, metavar="N")
        command.add_argument("--out", metavar="FILE", help="store of rows; resumed if it exists")
        command.add_argument(
            "--shard",
            type=_shard,
            default=(0, 1),
            metavar="I/N",
            help="every N-th chunk from the I-th; merge the stores of all N",
        )
        _add_common(command, quick="one chunk of draws")

    add("list", "the experiments and their settings")

    command = add("plot", "draw a store of counts or a gap.csv")
    command.add_argument("file", metavar="FILE")
    command.add_argument("--out", metavar="PICTURE", help="default: FILE with the ending .png")

    command = add("info", "versions and devices, or what a store holds")
    command.add_argument("file", nargs="?", metavar="STORE")

    command = add("merge", "add the rows of several stores to one")
    command.add_argument("out", metavar="OUT")
    command.add_argument("files", nargs="+", metavar="STORE")
    return parser


def _add_folder(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument("--out", default=name, metavar="FOLDER", help=f"default: {name}")


def _add_common(command: argparse.ArgumentParser, *, quick: str) -> None:
    command.add_argument("--quick", action="store_true", help=quick)
    command.add_argument("--seed", type=int, default=0, metavar="N", help="0 <= N < 2**32")
    command.add_argument("--dry-run", action="store_true", help="say what would be run, and stop")
    command.add_argument("--silent", action="store_true", help="no progress bars")


def _add_setting(command: argparse.ArgumentParser, setting: inspect.Parameter) -> None:
    choices = typing.get_args(setting.annotation)  # of a Literal; else none
    is_required = setting.default is setting.empty
    command.add_argument(
        f"--{setting.name.replace('_', '-')}",
        type=str if choices else setting.annotation,
        choices=choices or None,
        required=is_required,
        default=None if is_required else setting.default,
        metavar=None if choices else setting.name.upper(),
        help=None if is_required else f"default: {setting.default}",
    )


def _epsilons(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like 0.4,0.2,0.1") from None


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like 100,60") from None


def _epsilon(text: str) -> float | str:
    try:
        return text if text == "deviation" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a loss nor deviation") from None


def _shard(text: str) -> tuple[int, int]:
    try:
        first, step = map(int, text.split("/"))
    except ValueError:
        first, step = 0, 0
    if not 0 <= first < step:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of 0/N, 1/N, ..., N-1/N")
    return first, step
