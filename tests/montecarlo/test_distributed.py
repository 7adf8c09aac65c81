"""Two processes in lockstep give the counts of one, and one of them writes."""

import socket
import subprocess
import sys

import pytest

from lottery_jax.core import root
from lottery_jax.montecarlo import Store, estimate, threshold
from tests.montecarlo.toys import below, nested

SUCCESS = {"key": root(0), "trials": 100, "epsilons": [0.1, 0.5], "progress": False}
WIDTH = {"key": root(0), "trials": 100, "epsilon": 0.1, "progress": False}

PROCESS = """
import sys
import jax
port, rank, path = sys.argv[1:]
jax.config.update("jax_num_cpu_devices", 2)
jax.distributed.initialize(f"localhost:{port}", 2, int(rank))
from lottery_jax.montecarlo import estimate, threshold
from tests.montecarlo.test_distributed import SUCCESS, WIDTH
from tests.montecarlo.toys import below, nested
assert len(jax.devices()) == 4
print(estimate(below(lanes=37), **SUCCESS, store=path).hits.tolist())
print(threshold(nested(3), **WIDTH, store=path).width)
"""


@pytest.mark.slow
def test_two_processes_give_the_counts_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    path = tmp_path / "counts.jsonl"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, port, str(rank), str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    hits = estimate(below(lanes=37), **SUCCESS).hits.tolist()
    width = threshold(nested(3), **WIDTH).width
    for process in processes:
        *_, first, second = process.communicate(timeout=120)[0].splitlines()
        assert (first, second) == (str(hits), str(width))
    addresses = [(row["id"], row["chunk"]) for row in Store(path).rows()]
    assert len(addresses) == len(path.read_text().splitlines()) > 3
