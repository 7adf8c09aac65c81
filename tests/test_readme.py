"""The documents keep their word: snippets run, commands and files exist."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lottery_jax import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text()


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text=README):
    """Every single command of the shell blocks, as words without comments."""
    for block in blocks("sh", text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while "&&" in words:
                yield words[: words.index("&&")]
                words = words[words.index("&&") + 1 :]
            if words:
                yield words


def test_python_snippets_run(tmp_path):
    command = [sys.executable, "-W", "error", "-c", "\n".join(blocks("python"))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "neuron_pruning (dim=2" in done.stdout
    assert "weight_pruning: width" in done.stdout


CLI_COMMANDS = [words[1:] for words in commands() if Path(words[0]).name == "lottery-jax"]


@pytest.mark.parametrize("words", CLI_COMMANDS, ids=" ".join)
def test_commands_are_understood(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if words[0] in ("run", "gap", "rss", "proof", "network", "limit", "quantized", "features"):
        assert cli.main([*words, "--dry-run"]) == 0, capsys.readouterr().err
    else:
        cli.parse(words)


def test_every_command_of_the_command_line_is_shown():
    shown = {words[0] for words in CLI_COMMANDS}
    runs = {"gap", "rss", "proof", "network", "limit", "quantized", "features", "run"}
    assert shown == runs | {"list", "plot", "info", "merge"}


def test_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [(ROOT / name).read_text() for name in DOCUMENTS]
    named = re.findall(r'"\.\[(\w+)\]"', "".join(texts))
    assert (
        {"test", "cuda13", "tpu", "dev", "bench", "spectra"}
        == set(named)
        <= set(project["optional-dependencies"])
    )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_paths_lead_somewhere(name):
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    paths = re.findall(r"`((?:lottery_jax|tests|notebooks|\.ci)/[\w./]+)`", text)
    for path in (*links, *paths):
        assert (ROOT / path).exists(), path


def test_the_map_of_the_architecture_names_every_module():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| \d \| `(\w+(?:\.py)?)` \| (.*) \|$", text, re.MULTILINE)
    for room, files in rows:
        folder = ROOT / "lottery_jax" / room
        if folder.is_dir():
            named = set(re.findall(r"`(\w+\.py)`", files))
            assert named == {file.name for file in folder.glob("*.py")} - {"__init__.py"}, room
    here = {path.name for path in (ROOT / "lottery_jax").iterdir() if path.name[0] not in "_."}
    assert {room for room, _ in rows} == here - {"py.typed"}
