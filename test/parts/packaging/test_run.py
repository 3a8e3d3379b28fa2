"""The script that does everything, as far as it goes without setting anything up."""

from __future__ import annotations

import re
import subprocess


def run(root, *arguments, cwd="/"):
    command = [str(root / "run"), *arguments]
    return subprocess.run(command, cwd=cwd, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30)


def test_help_names_every_command_when_called_from_elsewhere_with_no_environment(root):
    script = (root / "run").read_text()
    commands = re.findall(r"^    ([a-z| ]+)\) ", script, re.MULTILINE)
    asked = run(root, "help")
    assert asked.returncode == 0
    named = {line.split()[0] for line in asked.stdout.splitlines() if line.startswith("  ")}
    assert named == {name for words in commands for name in words.split(" | ")} - {"help"}


def test_unknown_command_is_refused_by_name(root):
    asked = run(root, "fly")
    assert asked.returncode == 1
    assert "no command 'fly'" in asked.stderr


def test_every_folder_of_tests_is_run(root):
    folders = {path.relative_to(root / "test").parts[0] for path in (root / "test").rglob("test_*.py")}
    assert set(re.findall(r"^  tests (\w+)", (root / "run").read_text(), re.MULTILINE)) == folders


def test_ci_runs_tests_and_checks(root):
    script = (root / ".ci" / "run").read_text()
    assert "./run test" in script and "./run lint" in script
