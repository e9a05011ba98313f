"""The documents: generated pages are current, links have targets, commands parse."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wakeword_daemon.cli import COMMANDS, build_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_reference_pages_are_current(tmp_path):
    made = subprocess.run(
        [sys.executable, ROOT / "docs/reference.py", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(made) == 4
    for path in map(Path, made):
        here = ROOT / path.relative_to(tmp_path)
        assert here.read_text() == path.read_text(), f"{here} is old: run make docs"


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_man_page_has_no_groff_warnings():
    page = ROOT / "share/man/man1/wakeword.1"
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", page],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    for command in COMMANDS:
        assert f"wakeword {command}" in done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["wakeword", "sta"], {"status"}),
        (["wakeword", "words", "--po"], {"--points"}),
        (["wakeword", "service", "un"], {"uninstall"}),
        (["wakeword", "detect", "REA"], {"README.md"}),
    ],
    ids=" ".join,
)
def test_bash_completion_works(typed, offered):
    script = f"""
        source share/bash-completion/completions/wakeword
        COMP_WORDS=({shlex.join(typed)}) COMP_CWORD={len(typed) - 1}
        function=$(complete -p wakeword | sed "s/.*-F \\([^ ]*\\) .*/\\1/")
        $function && printf "%s\\n" "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == offered, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_a_target(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def commands(page):
    """Yield the `wakeword` commands in a page's indented code, as lists of arguments."""
    for line in page.read_text().splitlines():
        shown = re.match(r"    (?:.*[ /])?wakeword ([a-z].*)$", line)
        if shown and not re.search(r"[…|`<>]", line):
            yield shlex.split(shown[1], comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_are_valid(page):
    for arguments in commands(page):
        try:
            build_parser(COMMANDS).parse_args(arguments)
        except SystemExit:
            pytest.fail(f"wakeword {shlex.join(arguments)}")
