"""Everything that mlxlint states about MLX, with what running it showed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlxlint.evidence import Span, package_of, recorded, releases, spans
from mlxlint.families import families
from mlxlint.skill.contracts import contracts
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS

SHOWN = 110  # characters of what was seen


@dataclass(frozen=True)
class Fact:
    """A rule or a check of the surface. ``contract`` says what documents it; None: it was only observed."""

    key: str
    name: str
    kind: str
    statement: str
    topic: str
    contract: str | None
    spans: tuple[Span, ...]

    @property
    def status(self) -> str:
        """What the newest runs showed: confirmed, if on any device; "not run" where all skipped it."""
        newest = {span.place: span.status for span in self.spans}.values()
        return next((status for status in ("confirmed", "refuted", "inconclusive") if status in newest), "not run")

    @property
    def line(self) -> str:
        head = f"**{self.name}** ({self.key}, {self.kind})" if self.key != self.name else f"**{self.name}**"
        sentences = [f"{head}: {self.statement.rstrip('.')}.", self.contract and f"{self.contract}.", self._seen()]
        return "- " + " ".join(filter(None, sentences))

    def _seen(self) -> str:
        told = [f"{span.place}: {span.status} on {releases(span.releases)}" for span in self.spans if _ran(span)]
        if not told:
            return ""
        newest = [span for span in self.spans if span.status == self.status][-1]
        return f"Run: {package_of(self.key)}, {'; '.join(told)}. Seen: {_shortened(newest.text)}"


def _ran(span: Span) -> bool:
    return span.status != "skipped"


def _shortened(text: str) -> str:
    text = " ".join(text.split()).replace("`", "'")
    return f"`{text if len(text) <= SHOWN else text[: SHOWN - 1] + '…'}`"


def facts() -> list[Fact]:
    """All of them: rules in order of code, then checks."""
    return [*_of_rules(), *_of_checks()]


def _of_rules() -> Iterator[Fact]:
    stated = contracts()
    for family in families():
        for rule in family.rules:
            if rule.repro is not None:
                seen = tuple(spans(recorded().get(rule.code, {}), package_of(rule.code)))
                topic = f"{family.subject[:1].upper()}{family.subject[1:]} ({family.code})"
                contract = stated.get(rule.name)
                yield Fact(rule.code, rule.name, rule.kind.value, rule.summary(), topic, contract, seen)


def _of_checks() -> Iterator[Fact]:
    stated = contracts()
    for topic, checks in (("The surface of MLX", MLX_CHECKS), ("The surface of MLX-LM", LM_CHECKS)):
        for check in checks.values():
            seen = tuple(spans(recorded().get(check.name, {}), check.package))
            yield Fact(check.name, check.name, "surface", check.statement, topic, stated.get(check.name), seen)
