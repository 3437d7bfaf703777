"""Writes docs/reference from what the code runs on: tables, rights, schedule of activities (`make docs`; `--check` compares)."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import django

from config.env import BASE_DIR

FOLDER = BASE_DIR / "docs" / "reference"
SCOPES = {"own_site": "own site", "all_sites": "all sites", "none": "–"}


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return (
        "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


def page(title: str, introduction: str, body: str) -> str:
    return f"# {title}\n\nWritten by `make docs` from the code; do not edit.\n\n{introduction}\n\n{body}"


# Tables ------------------------------------------------------------------------------------------------------


def data_dictionary() -> str:
    from django.apps import apps

    ours = [config for config in apps.get_app_configs() if config.name.startswith(("registry.", "followup."))]
    models = [model for config in ours for model in config.get_models()]
    return page(
        "Data dictionary",
        "Every table and column the registry keeps. A column may be empty only where it says so.",
        "\n".join(_model_section(model) for model in models),
    )


def _model_section(model: Any) -> str:
    meaning = (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    described = "" if meaning.startswith(f"{model.__name__}(") else f"{meaning}\n\n"
    columns = table(
        ("column", "type", "empty", "meaning and values"), map(_column, model._meta.concrete_fields)
    )
    rules = [f"`{constraint.name}`" for constraint in model._meta.constraints]
    kept = f"\nRules the database keeps: {', '.join(rules)}\n" if rules else ""
    return f"## {model._meta.db_table}\n\n{described}{columns}{kept}"


def _column(field: Any) -> tuple[str, str, str, str]:
    kind = field.get_internal_type().removesuffix("Field")
    if field.is_relation:
        kind = f"row of {field.related_model._meta.db_table}"
    elif field.max_length:
        kind = f"{kind} ({field.max_length})"
    values = " ".join(f"`{value}`" for value, _ in field.flatchoices)
    meaning = "; ".join(part for part in (str(field.help_text), values) if part)
    return (f"`{field.column}`", kind, "yes" if field.null or field.blank else "no", meaning)


# Rights ------------------------------------------------------------------------------------------------------


def rights() -> str:
    from registry.access import policy

    rows = (
        (f"{act.label} (`{code}`)", *(_scopes_of(role, code) for role in policy.ROLES))
        for code, act in policy.ACTS.items()
    )
    return page(
        "Rights",
        "Who may do what, and for which sites. This is the table the registry asks; what is not in it is refused. Where a "
        "blinded protocol differs, its cell stands second.",
        table(("act", *policy.ROLES.values()), rows),
    )


def _scopes_of(role: str, act: str) -> str:
    from registry.access import policy

    open_label, blinded = policy.scope_of(role, act), policy.scope_of(role, act, blinded=True)
    return (
        SCOPES[open_label]
        if open_label == blinded
        else f"{SCOPES[open_label] or '–'} / blinded: {SCOPES[blinded] or '–'}"
    )


# Schedule of activities --------------------------------------------------------------------------------------


def schedule() -> str:
    from followup.schedule.plan_file import DEFAULT_PLAN_PATH, EXAMPLES

    others = sorted(path for path in EXAMPLES.glob("*.toml") if path != DEFAULT_PLAN_PATH)
    return page(
        "Schedule of activities",
        "The plan that a new registry follows, and the examples a draft may begin from (Settings → Follow-up plan). What a "
        "registry follows after its first change stands on that page.",
        "\n".join(_plan_section(path) for path in [DEFAULT_PLAN_PATH, *others]),
    )


def _plan_section(path: Path) -> str:
    from followup.plans.rules.words import MODE_WORDS, target_in_words, window_in_words, yearly_in_words
    from followup.schedule.plan_file import read_plan

    plan = read_plan(path)
    labels = {assessment.code: assessment.label for assessment in plan.assessments}
    visits = table(
        ("visit", "name", "held", "how often", "window", "contact", "assessments"),
        (
            (
                f"`{line.code}`",
                line.label,
                target_in_words(line),
                yearly_in_words(line),
                window_in_words(line),
                MODE_WORDS[line.contact_mode],
                ", ".join(labels.get(code, code) for code in line.assessments),
            )
            for line in plan.lines
        ),
    )
    return f"## {path.name}\n\n{plan.title}, version {plan.version}.\n\nSource: {plan.source.strip()}\n\n{visits}"


# Files ------------------------------------------------------------------------------------------------------


def files() -> str:
    from registry.exchange.exporting import tables
    from registry.exchange.resources import kinds

    brought_in = "\n".join(
        f"## {resource.kind}\n\n{resource.title}: `manage.py import_{resource.kind} FILE`.\n\n"
        + ", ".join(f"**{one.name}**" if one.required else one.name for one in resource.columns)
        + "\n"
        for resource in sorted(kinds(), key=lambda resource: resource.kind)
    )
    taken_out = "\n".join(f"- `{one.name}.csv`: {', '.join(one.columns)}" for one in tables())
    return page(
        "Files",
        "CSV (UTF-8) or XLSX, headings in any order; **bold** headings are required. Times without an offset are the site's local "
        "time. `--commit` stores; one refused row refuses the file unless `--clean-rows`.",
        f"{brought_in}\n## Export\n\nOne file a table, pseudonymised, and `manifest.json`.\n\n{taken_out}\n",
    )


PAGES = {
    "imports.md": files,
    "data-dictionary.md": data_dictionary,
    "rights.md": rights,
    "schedule-of-activities.md": schedule,
}


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def outdated(folder: Path) -> list[str]:
    files = {path.name for path in folder.glob("*.md")}
    changed = {
        name
        for name, make in PAGES.items()
        if name in files and (folder / name).read_text(encoding="utf-8") != make()
    }
    return sorted(changed | (files ^ set(PAGES)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m config.reference", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where a page is not current"
    )
    check = parser.parse_args(arguments).check
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    if not check:
        write(FOLDER)
        return 0
    late = outdated(FOLDER)
    if late:
        print(f"docs/reference is not current: {', '.join(late)}. Run `make docs`.", file=sys.stderr)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
