"""The newcomer's door: what ``./run`` starts, where, and what it says when it cannot.

The script itself runs, under the system's sh; programs that it starts are small scripts that say how they
were called.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SAY = """#!/bin/sh
case $2 in *version_info*) exit 0 ;; esac
printf '%s\\n' "$PWD" "${TOCSIN_PYTHON-none}" "$@"
"""
WORKERS = ("-n", "2", "--dist", "worksteal")
TOOLS = ("cat", "cksum", "dirname", "rm")

Call = Callable[..., subprocess.CompletedProcess[str]]


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Lay a project out in a folder with a space in its name, with nothing set up."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("run", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def call(tmp_path: Path, project: Path) -> Call:
    """Call ``./run`` from another folder, on a machine that has no Python, no uv and no docker."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (programs / tool).symlink_to(found)

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # the project's own script
            [project / "run", *words],
            cwd=tmp_path,
            env={"PATH": str(programs), "HOME": str(tmp_path / "empty"), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return call


def set_up(project: Path, venv: str = ".venv", program: str = SAY) -> None:
    """Make an environment that counts as ready."""
    write_program(project / venv / "bin" / "python", program)
    sums = subprocess.check_output(["cksum", "requirements.lock", "pyproject.toml"], cwd=project, text=True)  # noqa: S607
    (project / venv / ".stamp").write_text(f"{sums}{project}\n")


@pytest.mark.parametrize(
    ("words", "started"),
    [
        ([], ["-m", "bot", "run"]),
        (["demo", "--json"], ["-m", "bot", "demo", "--json"]),
        (["check", "btc < 100k"], ["-m", "bot", "check", "btc < 100k"]),
        (["--version"], ["-m", "bot", "--version"]),
        (["test"], ["-m", "pytest", *WORKERS]),
        (["test", "-k", "two words", "*"], ["-m", "pytest", *WORKERS, "-k", "two words", "*"]),
        (["test", "tests/test_a.py", "-k", "b"], ["-m", "pytest", "tests/test_a.py", "-k", "b"]),
        (["test", "-n4"], ["-m", "pytest", "-n4"]),
        (["test", "-s", "-k", "b"], ["-m", "pytest", "-s", "-k", "b"]),
        (["bench", "--quick"], ["-m", "tests.benchmarks", "--quick"]),
    ],
)
def test_each_word_starts_its_program_in_the_project(
    project: Path, call: Call, words: list[str], started: list[str]
) -> None:
    set_up(project)
    ended = call(*words)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [str(project), "none", *started]


def test_what_tests_compile_is_kept_whatever_the_machine_wants_elsewhere(project: Path, call: Call) -> None:
    set_up(project, program='#!/bin/sh\necho "${PYTHONDONTWRITEBYTECODE-kept}"\n')
    assert call("test", PYTHONDONTWRITEBYTECODE="1").stdout == "kept\n"
    assert call("demo", PYTHONDONTWRITEBYTECODE="1").stdout == "1\n"


def test_lint_asks_every_tool_and_stops_at_the_first_that_complains(project: Path, call: Call) -> None:
    set_up(project)
    asked = call("lint").stdout
    for tool in ("ruff\nformat\n--check", "ruff\ncheck", "mypy", "lint_imports"):
        assert tool in asked
    set_up(project, program='#!/bin/sh\necho "$2"\nexit 3\n')
    ended = call("lint")
    assert (ended.returncode, ended.stdout) == (3, "ruff\n")


def test_each_interpreter_has_an_environment_of_its_own(project: Path, call: Call) -> None:
    set_up(project, f".venv-{VERSION}")
    for name, wanted in (
        ("TOCSIN_PYTHON", VERSION),
        ("TOCSIN_PYTHON", sys.executable),
        ("UV_PYTHON", VERSION),
    ):
        ended = call("--version", **{name: wanted})
        assert ended.returncode == 0, ended.stderr
        # The program is not told: TOCSIN_PYTHON is no setting of the bot.
        assert ended.stdout.splitlines() == [str(project), "none", "-m", "bot", "--version"]


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_change_of_what_is_needed_is_installed_before_anything_starts(
    project: Path, call: Call, changed: str
) -> None:
    set_up(project)
    with (project / changed).open("a") as file:
        file.write("\n# changed\n")
    assert call("--version").returncode == 1
    uv = '#!/bin/sh\necho "$*" >>"$0.calls"\n'
    write_program(project / ".tools" / "bin" / "uv", uv)
    ended = call("--version")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[2:] == ["-m", "bot", "--version"]
    calls = (project / ".tools" / "bin" / "uv.calls").read_text()
    assert "pip sync -q --python .venv/bin/python --require-hashes requirements.lock" in calls
    assert "--no-deps --no-build-isolation --editable ." in calls
    before = calls.count("pip sync")
    assert call("--version").returncode == 0
    assert (project / ".tools" / "bin" / "uv.calls").read_text().count("pip sync") == before


def test_a_failed_installation_starts_nothing_and_is_tried_again(project: Path, call: Call) -> None:
    set_up(project)
    (project / ".venv" / ".stamp").unlink()
    write_program(project / ".tools" / "bin" / "uv", '#!/bin/sh\n[ "$1" = --version ]\n')
    for _ in range(2):
        ended = call("--version")
        assert ended.returncode == 1
        assert ended.stdout == ""
    assert not (project / ".venv" / ".stamp").exists()


def test_without_python_docker_runs_it(tmp_path: Path, call: Call) -> None:
    write_program(tmp_path / "programs" / "docker", '#!/bin/sh\necho "$*"\n')
    for words, started in (
        ((), "compose run --rm --build bot"),
        (("check", "btc < 100k"), "compose run --rm --build bot check btc < 100k"),
        (("test", "-x"), "compose run --rm --build tests test -x"),
    ):
        ended = call(*words)
        assert ended.returncode == 0
        assert ended.stdout.splitlines()[-1] == started


@pytest.mark.parametrize("has_docker_without_engine", [False, True])
def test_where_nothing_helps_one_sentence_says_what_to_install(
    tmp_path: Path, call: Call, has_docker_without_engine: bool
) -> None:
    if has_docker_without_engine:
        write_program(tmp_path / "programs" / "docker", '#!/bin/sh\n[ "$1" = compose ]\n')
    ended = call("demo")
    assert (ended.returncode, ended.stdout) == (1, "")
    [sentence] = ended.stderr.splitlines()
    for way in ("Python 3.11", "uv", "Docker"):
        assert way in sentence


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("No known vulnerabilities found", 0, "No weakness is known"),
        ("Found 2 known vulnerabilities in 1 package", 1, "Found 2 known"),
        ("ERROR: Max retries exceeded", 0, "NOT audited: the public list"),
        (
            "No known vulnerabilities found\nyarl  Dependency not found and could not be audited: yarl (1.2)",
            0,
            "NOT audited, since the public list of weaknesses does not have them:\n  yarl (1.2)",
        ),
    ],
)
def test_an_audit_fails_for_what_is_found_and_says_where_nothing_could_be_looked_up(
    project: Path, call: Call, answer: str, code: int, said: str
) -> None:
    set_up(project)
    programs = project.parent / "programs"
    audits = f"[ $1 = --version ] && exit 0\nprintf '%s\\n' '{answer}'\nexit {code}\n"
    write_program(programs / "uv", f"#!/bin/sh\n{audits}")
    found = shutil.which("sed")
    assert found
    (programs / "sed").symlink_to(found)
    ended = call("audit")
    assert ended.returncode == code
    assert said in ended.stdout + ended.stderr
