"""What an audit found, as text, JSON or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from mlxlint import __version__
from mlxlint.audit.survey import Api, FileAudit, Hazard, Place, Survey, rule_of
from mlxlint.audit.ways import Way
from mlxlint.report import shared

FEW = 12  # lines of a list that the text shows unless all are asked for
FEW_PLACES = 5
WORDS = {
    Way.SAME: "the same name",
    Way.RENAMED: "another name, or other words",
    Way.DIFFERENT: "the like, with other behaviour",
    Way.MISSING: "nothing of the kind",
}


def write(format: str, survey: Survey, root: Path, everything: bool, stream: TextIO) -> None:
    """Write an audit in one of ``FORMATS``; the text is cut short unless it is to have ``everything``."""
    FORMATS[format](survey, root, everything, stream)


# Text


def _text(survey: Survey, root: Path, everything: bool, stream: TextIO) -> None:
    lines = [*_summary(survey), *_apis(survey, everything), *_hazards(survey, root, everything)]
    lines += _files(survey, root, everything)
    shared.write_lines([shared.showable(line) for line in lines], stream)


def _summary(survey: Survey) -> Iterator[str]:
    read = shared.counted(len(survey.files), "file") + " with PyTorch"
    yield f"{read}, {shared.counted(survey.others, 'file')} without"
    if survey.share is None:
        yield "No use of PyTorch found"
        return
    yield (
        f"{shared.counted(len(survey.usages), 'use')} of {shared.counted(len(survey.apis), 'name')} of PyTorch's; "
        f"{survey.share:.0%} of the uses ({survey.mechanical}) port mechanically"
    )
    yield ""
    for way, (names, uses) in survey.ways.items():
        yield f"  {way.value:<10}{uses:>7} uses  {names:>5} names  MLX has {WORDS[way]}"
    if survey.unresolved:
        yield from ("", f"Not counted: {about_unresolved(survey)}")


def about_unresolved(survey: Survey) -> str:
    number = survey.unresolved.total()
    names = ", ".join(name for name, _ in survey.unresolved.most_common(FEW_PLACES))
    return f"{shared.counted(number, 'place')} with a name of tensors' on what is not known to be one ({names})"


def _apis(survey: Survey, everything: bool) -> Iterator[str]:
    if survey.apis:
        yield from ("", "Names", "", "   uses  by hand  way        name")
    width = max((len(api.name) for api in survey.apis), default=0)
    for api in _cut(survey.apis, everything):
        about = about_api(api)
        line = f"{api.uses:>7}  {api.uses - api.mechanical or '':>7}  {api.meaning.way.value:<9}  {api.name:<{width}}"
        yield f"{line}  {about}".rstrip()
    yield from _rest(len(survey.apis), "name", everything)


def about_api(api: Api) -> str:
    """What to write instead of a name, or the rule that tells."""
    said = [api.meaning.instead, api.meaning.rule and f"see {api.meaning.rule}"]
    return "; ".join(text for text in said if text)


def _hazards(survey: Survey, root: Path, everything: bool) -> Iterator[str]:
    if survey.hazards:
        yield from ("", "Hazards", "")
    for name, hazards in _cut(list(survey.hazards.items()), everything):
        rule = rule_of(hazards[0])
        yield f"{len(hazards):>7}  {rule.kind.value:<10}  {rule.code} {name}: {rule.summary()}"
        places = [shown_place(hazard.place, root) for hazard in hazards]
        shown = places if everything else places[:FEW_PLACES]
        more = f", and {len(places) - len(shown)} more" if len(places) > len(shown) else ""
        yield f"{'':21}{', '.join(shown)}{more}"
    yield from _rest(len(survey.hazards), "kind of hazard", everything, "kinds of hazards")


def _files(survey: Survey, root: Path, everything: bool) -> Iterator[str]:
    if survey.ranking:
        yield from ("", "Files, most work first", "", "by hand     uses  mechanical  silent hazards  file")
    for file in _cut(survey.ranking, everything):
        name = shared.relative(file.path, root)
        if file.problem is not None:
            name += f": {file.problem}"
        share = f"{file.mechanical / len(file.usages):.0%}" if file.usages else ""
        yield f"{file.by_hand:>7}  {len(file.usages):>7}  {share:>10}  {file.silent:>14}  {name}"
    yield from _rest(len(survey.ranking), "file", everything)


def _cut(items: Sequence[Any], everything: bool) -> Sequence[Any]:
    return items if everything else items[:FEW]


def _rest(count: int, noun: str, everything: bool, plural: str | None = None) -> Iterator[str]:
    left = count - FEW
    if left > 0 and not everything:
        yield f"    ... and {left} more {noun if left == 1 else plural or noun + 's'} (--all)"


def shown_place(place: Place, root: Path) -> str:
    cell = f"cell {place.cell}:" if place.cell else ""
    return f"{shared.relative(place.path, root)}:{cell}{place.row}:{place.column}"


# JSON


def _json(survey: Survey, root: Path, everything: bool, stream: TextIO) -> None:
    shared.write_json(as_json(survey, root), stream)


def as_json(survey: Survey, root: Path) -> dict[str, Any]:
    """All that was found. Names of files are relative to the root, with ``/``."""
    return {
        "mlxlint": __version__,
        "totals": {
            "files": len(survey.files),
            "files_without_torch": survey.others,
            "uses": len(survey.usages),
            "names": len(survey.apis),
            "mechanical": survey.mechanical,
            "share": survey.share,
            "unresolved": survey.unresolved,
            "ways": {way.value: {"names": names, "uses": uses} for way, (names, uses) in survey.ways.items()},
        },
        "apis": [_api(api) for api in survey.apis],
        "hazards": [_rule(name, hazards, root) for name, hazards in survey.hazards.items()],
        "files": [_file(file, root) for file in survey.ranking],
        "problems": list(survey.problems),
    }


def _api(api: Api) -> dict[str, Any]:
    return {
        "name": api.name,
        "way": api.meaning.way.value,
        "instead": api.meaning.instead,
        "rule": api.meaning.rule,
        "uses": api.uses,
        "mechanical": api.mechanical,
        "files": api.files,
    }


def _rule(name: str, hazards: Sequence[Hazard], root: Path) -> dict[str, Any]:
    rule = rule_of(hazards[0])
    return {
        "code": rule.code,
        "name": name,
        "kind": rule.kind.value,
        "summary": rule.summary(),
        "url": rule.url(),
        "places": [
            {**_place(hazard.place, root), "message": hazard.message, "by_hand": hazard.by_hand, "seen": hazard.seen}
            for hazard in hazards
        ],
    }


def _place(place: Place, root: Path) -> dict[str, Any]:
    name = shared.relative(place.path, root)
    return {"filename": name, "cell": place.cell or None, "row": place.row, "column": place.column}


def _file(file: FileAudit, root: Path) -> dict[str, Any]:
    return {
        "filename": shared.relative(file.path, root),
        "lines": file.lines,
        "uses": len(file.usages),
        "mechanical": file.mechanical,
        "by_hand": file.by_hand,
        "silent_hazards": file.silent,
        "names": {name: len(list(group)) for name, group in groupby(sorted(usage.name for usage in file.usages))},
        "problem": file.problem,
    }


# A page


def _html(survey: Survey, root: Path, everything: bool, stream: TextIO) -> None:
    from mlxlint.audit.page import write_page

    write_page(survey, root, stream)


FORMATS: Mapping[str, Callable[[Survey, Path, bool, TextIO], None]] = {"text": _text, "json": _json, "html": _html}
