"""Commands on stores of counts: what one holds, its curves as a picture, several as one."""

import argparse
import importlib.metadata
from pathlib import Path

import jax

from lottery_jax import __version__, gap
from lottery_jax.core import keys
from lottery_jax.montecarlo.estimates import Estimates
from lottery_jax.montecarlo.store import Row, Store, StoreError, merge_stores
from lottery_jax.report.tables import format_table, read_widths


def open_store(path: str, name: str) -> Store:
    """The store at `path`, refused if all it holds belongs to other experiments."""
    store = Store(path)
    held = {row["name"] for row in store.rows()}
    if held and name not in held:
        raise StoreError(
            f"{path} holds the counts of {', '.join(sorted(held))}, not of {name}; "
            "name another file with --out"
        )
    return store


def plot(options: argparse.Namespace) -> None:
    """Draw a table of widths, or the success curves of a store."""
    from lottery_jax.report import figures  # on first use: it imports matplotlib

    source = Path(options.file)
    if source.suffix == ".csv":
        ax = gap.draw(read_widths(source))
    else:
        ax = figures.new_axis()
        for curve in _curves(source):
            figures.success_curve(ax, curve)
    target = Path(options.out or source.with_suffix(".png"))
    figures.save(ax, target)
    print(f"written: {target}")


def _curves(source: Path) -> list[Estimates]:
    """The success curves in a store, one for each experiment and seed."""
    groups = [group for group in _groups(_read_store(source)) if group[0]["kind"] == "success"]
    if not groups:
        raise StoreError(
            f"{source} holds no success counts; the run that wrote it drew its figure beside it"
        )
    return [Estimates.from_rows(group) for group in groups]


def info(options: argparse.Namespace) -> None:
    """Print what a store holds, or without one versions and devices."""
    if options.file is None:
        names = ("jax", "jaxlib", "numpy")
        devices = ", ".join(f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices())
        print(f"lottery_jax {__version__}, stream version {keys.STREAM_VERSION}")
        print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
        print(f"devices: {devices}")
        return
    header = ["id", "experiment", "kind", "settings", "epsilons", "chunks", "trials", "seconds"]
    print(format_table(header, [_summary(g) for g in _groups(_read_store(Path(options.file)))]))


def _summary(group: list[Row]) -> list[str | int | float]:
    """What the rows of one experiment hold, as cells of a table."""
    first = group[0]
    settings = " ".join(f"{name}={value}" for name, value in first["settings"].items())
    trials = sum(row["trials"] for row in group)
    seconds = sum(row["seconds"] for row in group)
    cells = [first["id"], first["name"], first["kind"], settings]
    return [*cells, len(first["epsilons"]), len(group), trials, seconds]


def _read_store(source: Path) -> list[Row]:
    if not source.exists():
        raise StoreError(f"{source} does not exist; name a store of counts")
    return Store(source).rows()


def _groups(rows: list[Row]) -> list[list[Row]]:
    """The rows of each experiment and seed together, in order of writing."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["id"], []).append(row)
    return list(groups.values())


def merge(options: argparse.Namespace) -> None:
    """Add the rows of several stores to one."""
    target = Store(options.out)
    known = {(row["id"], row["chunk"]) for row in target.rows()}
    rows = merge_stores([target.path, *options.files] if target.path.exists() else options.files)
    new = [row for row in rows if (row["id"], row["chunk"]) not in known]
    for row in new:
        target.append(row)
    print(f"{target.path}: {len(rows)} rows, {len(new)} of them new")
