"""How the house is built, as tests: one-way imports, pure rules, one clock, no unsafe shortcut, nothing of this machine."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.template import engines
from django.template.exceptions import TemplateDoesNotExist

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("registry/", "followup/", "config/")
VENDORED = "config/static/vendor/"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
ENTRY_POINTS = re.compile(
    r"/((\w+_)?views|tasks|middleware|apps|signals|adapter|context|health|serve|celery|command|proving)(/\w+)?\.py$|/management/commands/"
)
PURE = re.compile(r"/(rules|charts)\.py$|/rules/\w+\.py$|/labs/(units|indices)\.py$")


@cache
def tracked() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return tuple(
        name for name in listed.split("\0") if name and (ROOT / name).is_file() and VENDORED not in name
    )


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def product_modules() -> list[str]:
    return [n for n in tracked() if n.endswith(".py") and n.startswith(PRODUCT) and "/migrations/" not in n]


def templates() -> list[str]:
    return [name for name in tracked() if name.startswith("templates/") and name.endswith((".html", ".txt"))]


def places(pattern: str, names: list[str], flags: re.RegexFlag = re.NOFLAG) -> list[str]:
    """`file:line: text` wherever the pattern occurs."""
    expression = re.compile(pattern, flags)
    return [
        f"{name}:{number}: {line.strip()}"
        for name in names
        for number, line in enumerate(text(name).splitlines(), start=1)
        if expression.search(line)
    ]


def calls(name: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call in a module, such as (12, "clock.now")."""
    for node in ast.walk(ast.parse(text(name))):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
            yield node.lineno, ast.unparse(node.func)


# Structure ---------------------------------------------------------------------------------------------------


def test_imports_run_one_way():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_has_its_place_among_the_layers():
    rooms = {".".join(name.split("/")[:2]) for name in product_modules() if name.count("/") > 1}
    rooms -= {name for name in rooms if name.startswith("config.")}
    contracts = text("pyproject.toml").partition("[tool.importlinter]")[2]
    assert sorted(room for room in rooms if f"({room})" not in contracts) == []


def test_rules_can_be_read_and_run_without_django():
    names = [name for name in product_modules() if PURE.search(name)]
    assert places(r"^\s*(from|import)\s+(django|registry\.clock|config)\b", names) == []


def test_files_stay_below_the_limit():
    names = [
        name
        for name in tracked()
        if name.endswith((".py", ".html", ".css", ".js")) and "/migrations/" not in name
    ]
    assert [f"{n}: {c}" for n in names if (c := len(text(n).splitlines())) >= MAX_FILE_LINES] == []


def test_functions_can_be_taken_in_at_a_glance():
    long = []
    for name in product_modules():
        for node in ast.walk(ast.parse(text(name))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{name}:{node.lineno}: {node.name} has {lines} lines")
    assert long == []


def test_migrations_are_linear():
    """One numbered file after the other, so that two branches of work cannot both be "the last"."""
    folders: dict[str, list[str]] = {}
    for name in tracked():
        if match := re.fullmatch(r"(.+/migrations)/(\d{4})_\w+\.py", name):
            folders.setdefault(match[1], []).append(match[2])
    for folder, numbers in folders.items():
        assert sorted(numbers) == [f"{n:04}" for n in range(1, len(numbers) + 1)], folder


# Time --------------------------------------------------------------------------------------------------------


def test_only_entry_points_read_the_clock():
    """And `registry.access`, where rights are those in force at the moment somebody asks."""
    found = [
        f"{name}:{line}: {call}()"
        for name in product_modules()
        if name not in {"registry/clock.py", "registry/access/models.py"}
        and not ENTRY_POINTS.search(f"/{name}")
        for line, call in calls(name)
        if call in {"clock.now", "clock.today"} or call.endswith("site.today")
    ]
    assert found == []


def test_the_clock_is_the_one_source_of_now():
    asks = re.compile(r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|timezone\.now|time\.time)$")
    found = [
        f"{name}:{line}: {call}()"
        for name in product_modules()
        if name != "registry/clock.py"
        for line, call in calls(name)
        if asks.search(call)
    ]
    assert found == []


# Unsafe shortcuts --------------------------------------------------------------------------------------------


def test_nothing_goes_around_escaping_forgery_protection_or_the_query_builder():
    pattern = r"\bmark_safe\b|\bcsrf_exempt\b|\.raw\(|\.extra\(|(filter|exclude|get|update)\(\*\*request\b|\bpickle\b"
    assert places(pattern, product_modules()) == []
    assert places(r"\|\s*safe\b|autoescape\s+off", templates()) == []


def test_views_start_from_what_the_person_may_see():
    names = [name for name in product_modules() if re.search(r"/views(/\w+)?\.py$", name)]
    assert places(r"\.objects\.all\(\)", names) == []


def test_pages_hold_no_inline_script_or_style():
    """The content security policy refuses them; documents for print are not pages."""
    pages = [name for name in templates() if not name.startswith(("templates/reports/", "templates/emails/"))]
    assert places(r"""\sstyle=["']|\son\w+=["']|javascript:""", pages) == []
    assert places(r"<script(?![^>]*\b(src|nonce)=)(?![^>]*json)|<style(?![^>]*nonce=)", pages) == []


def test_no_finding_is_silenced_and_nothing_is_left_for_later():
    words = (
        "no" + "qa",
        "type: " + "ignore",
        "pragma: no " + "cover",
        "TO" + "DO",
        "FIX" + "ME",
        "NotImplemented" + "Error",
    )
    marks = rf"\b({'|'.join(words)})\b|mark\.(skip|xfail)|pytest\.(skip|xfail)\("
    names = [
        name
        for name in tracked()
        if name.endswith((".py", ".html", ".js", ".css")) and name != "tests/test_conventions.py"
    ]
    assert places(marks, names) == []


# Files -------------------------------------------------------------------------------------------------------


def readable() -> list[str]:
    suffixes = (
        ".py",
        ".toml",
        ".html",
        ".md",
        ".txt",
        ".css",
        ".js",
        ".csv",
        ".json",
        ".yml",
        ".sample",
        "Makefile",
        "Procfile",
    )
    return [name for name in tracked() if name.endswith(suffixes) or name.startswith(".ci/")]


def test_no_path_of_one_machine_is_written_down():
    assert places(r"(?<![\w.:/<>{}])/(wor[k]|roo[t]|hom[e])/\w", readable()) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_every_package_by_hash_and_name_no_index(lock):
    content = text(lock)
    assert not re.search(
        r"https?://|--(extra-)?index-url|--find-links|--trusted-host|^-i ", content, re.MULTILINE
    )
    requirements = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", content, flags=re.MULTILINE))
    assert [
        entry.split(" ")[0] for entry in requirements if "==" not in entry or "--hash=sha256:" not in entry
    ] == []


def test_the_development_lock_holds_the_runtime_lock():
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9._-]+==\S+)", text(lock), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_decisions_are_numbered_one_after_the_other_and_listed():
    """Each whole: what was decided, why, what else was weighed, and what follows from it."""
    pages = sorted(name for name in tracked() if re.fullmatch(r"docs/adr/\d{4}-[a-z0-9-]+\.md", name))
    assert [Path(name).name[:4] for name in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    parts = {"Status", "Context", "Decision", "Alternatives", "Consequences"}
    for name in pages:
        title, number = text(name).splitlines()[0], Path(name).name[:4]
        assert title.startswith(f"# {int(number)}. "), name
        assert f"- [{number}]({Path(name).name}) {title.partition('. ')[2]}\n" in text(
            "docs/adr/README.md"
        ), name
        assert parts <= set(re.findall(r"^## (.+)$", text(name), re.MULTILINE)), name


def test_links_between_pages_lead_somewhere():
    lost = [
        f"{name}: {link}"
        for name in tracked()
        if name.endswith(".md")
        for link in re.findall(r"\]\(([^)#]+)", text(name))
        if "://" not in link and not (ROOT / name).parent.joinpath(link).exists()
    ]
    assert lost == []


def test_every_switch_stands_in_the_sample():
    modules = [name for name in product_modules() if name.startswith("config/")]
    switches = {
        switch
        for name in modules
        for switch in re.findall(r"\benv\.(?:text|flag|number|secret)\(\s*\"([A-Z_]+)\"", text(name))
    }
    assert len(switches) > 10
    assert sorted(switch for switch in switches if f"#{switch}=" not in text(".env.sample")) == []


def test_one_spelling():
    """Of our own words; the aliases of laboratories and the headings of other people's files are data."""
    names = [
        name
        for name in readable()
        if name.endswith((".py", ".html", ".md")) and name != "tests/test_conventions.py"
    ]
    assert places(r"\benroll(ments?|s)?\b|\bglycemi[ac]", names, re.IGNORECASE) == []


def test_every_template_is_used():
    """Named in a view or another template, or in place of a library's template of that name."""
    everything = "\n".join(text(name) for name in tracked() if name.endswith((".py", ".html", ".txt")))
    rooms = {name.split("/")[-2] for name in product_modules() if name.endswith("/views.py")}
    unused = [
        name
        for name in (name.removeprefix("templates/") for name in templates())
        if name.split("/")[0] in rooms and f'"{name}"' not in everything and f"'{name}'" not in everything
    ]
    assert [name for name in unused if not replaces_a_library_template(name)] == []


def replaces_a_library_template(name: str) -> bool:
    """True when a library's own folder holds a template of this name (its form fields and sign-in pages, for example)."""
    for loader in engines["django"].engine.template_loaders:
        for origin in loader.get_template_sources(name):
            try:
                loader.get_contents(origin)
            except TemplateDoesNotExist:
                continue
            if not Path(origin.name).is_relative_to(ROOT / "templates"):
                return True
    return False
