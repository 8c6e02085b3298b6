"""An audit as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from mlxlint.audit.report import WORDS, about_api, about_unresolved, shown_place
from mlxlint.audit.survey import Api, FileAudit, Hazard, Survey, rule_of
from mlxlint.audit.ways import Way
from mlxlint.report import shared
from mlxlint.report.page import (
    Section,
    bar,
    cards,
    choice,
    filters,
    long_table,
    number,
    path,
    prose,
    table,
    text,
    write,
)

_SIGNS = {
    Way.SAME: "=",
    Way.RENAMED: "\N{RIGHTWARDS ARROW}",
    Way.DIFFERENT: "\N{NOT EQUAL TO}",
    Way.MISSING: "\N{EMPTY SET}",
}


def write_page(survey: Survey, root: Path, stream: TextIO) -> None:
    page = _Page(survey, root)
    sections = [Section("summary", "Summary", page.summary())]
    if survey.ranking:
        sections.append(Section("files", "Files, most work first", page.files()))
    if survey.hazards:
        sections.append(Section("hazards", "Hazards", page.hazards()))
    if survey.apis:
        sections.append(Section("names", "Names in use", page.names()))
    write("mlxlint audit", page.lead(), sections, stream)


class _Page:
    def __init__(self, survey: Survey, root: Path) -> None:
        self.survey = survey
        self.root = root

    def lead(self) -> str:
        files = shared.counted(len(self.survey.files), "file")
        if self.survey.share is None:
            return f"No use of PyTorch found in {shared.counted(len(self.survey.files) + self.survey.others, 'file')}."
        uses = shared.counted(len(self.survey.usages), "use")
        return f"{uses} of PyTorch in {files}: {self.survey.share:.0%} port mechanically."

    def summary(self) -> Iterator[str]:
        silent = sum(file.silent for file in self.survey.files)
        yield cards(
            [
                ("Ports mechanically", "-" if self.survey.share is None else f"{self.survey.share:.0%}"),
                ("Places by hand", sum(file.by_hand for file in self.survey.files)),
                ("Silent hazards", silent),
                ("Names", len(self.survey.apis)),
                ("Files with PyTorch", len(self.survey.files)),
                ("Files without", self.survey.others),
            ]
        )
        most = max(uses for _, uses in self.survey.ways.values())
        rows = (
            f'<tr><th scope="row">{_tag(way)}</th><td>MLX has {text(WORDS[way])}</td>{number(names)}{number(uses)}'
            f'<td class="wide">{bar([(way.value, uses)], most)}</td></tr>'
            for way, (names, uses) in self.survey.ways.items()
        )
        yield table("Ways of names", ["Way", "Meaning", "#Names", "#Uses", "=Share of uses"], rows)
        if self.survey.unresolved:
            yield f'<p class="weak">Not counted: {text(about_unresolved(self.survey))}.</p>'

    def files(self) -> Iterator[str]:
        ranking = self.survey.ranking
        most = max(len(file.usages) for file in ranking)
        heads = ["File", "#By hand", "#Silent hazards", "#Uses", "#Mechanical", "=Mechanical and not"]
        yield from long_table("Files by work", heads, [self._file(file, most) for file in ranking], "file")

    def _file(self, file: FileAudit, most: int) -> str:
        name = path(shared.relative(file.path, self.root))
        if file.problem is not None:
            name += f' <span class="missing">{text(file.problem)}</span>'
        uses = len(file.usages)
        share = f"{file.mechanical / uses:.0%}" if uses else ""
        parts = bar([("same", file.mechanical), ("missing", uses - file.mechanical)], most)
        numbers = "".join(map(number, (file.by_hand, file.silent or "", uses, share)))
        return f'<tr><th scope="row">{name}</th>{numbers}<td class="wide">{parts}</td></tr>'

    def hazards(self) -> Iterator[str]:
        for name, hazards in self.survey.hazards.items():
            rule = rule_of(hazards[0])
            counted = shared.counted(len(hazards), "place")
            yield (
                f'<details class="group"><summary><span class="tag count">{rule.kind.value}, {counted}</span>'
                f"{text(rule.code)} {text(name)}: {prose(rule.summary())}</summary>"
                f'<p><a href="{text(rule.url())}">What it is, and what to do</a></p><ul class="places">'
            )
            yield from map(self._place, hazards)
            yield "</ul></details>"

    def _place(self, hazard: Hazard) -> str:
        message = hazard.message if hazard.seen else "uses a name that the rule is about"
        return f"<li>{path(shown_place(hazard.place, self.root))} {prose(message)}</li>"

    def names(self) -> Iterator[str]:
        yield filters("apis", [choice("Way", "way", ((way.value, way.value) for way in Way))])
        heads = ["Name", "Way", "In MLX", "#Uses", "#By hand", "#Files"]
        yield table("Names in use", heads, map(_name, self.survey.apis), id="apis")


def _name(api: Api) -> str:
    way = api.meaning.way
    by_hand = api.uses - api.mechanical
    return (
        f'<tr data-item data-way="{way.value}"><th scope="row"><code>{text(api.name)}</code></th><td>{_tag(way)}</td>'
        f"<td>{prose(about_api(api))}</td>{number(api.uses)}{number(by_hand or '')}{number(api.files)}</tr>"
    )


def _tag(way: Way) -> str:
    return f'<span class="tag {way.value}"><span aria-hidden="true">{_SIGNS[way]}</span> {way.value}</span>'
