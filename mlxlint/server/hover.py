"""What is shown of a rule where the pointer rests: on a finding, or on a rule's name in a suppression comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mlxlint import registry
from mlxlint.report.shared import verified
from mlxlint.rule import Finding, Rule, Verification
from mlxlint.source import Source
from mlxlint.suppress import suppressions

if TYPE_CHECKING:
    from mlxlint.server.session import Server


def register(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return None
        checked = await server.check(document)
        snapshot = checked.document
        offset = snapshot.offset(params.text_document.uri, params.position)
        if offset is None:
            return None
        found = [f for f in checked.findings if f.offsets[0] <= offset < max(f.offsets[1], f.offsets[0] + 1)]
        if found:
            start, end = max(f.offsets[0] for f in found), min(f.offsets[1] for f in found)
            text = "\n\n---\n\n".join(_finding(finding, server.verifications.get(key(finding))) for finding in found)
        elif (named := _named_rule(snapshot.source, offset)) is not None:
            rule, start, end = named
            text = page(rule)
        else:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), snapshot.range(start, end)[1])


def key(finding: Finding) -> tuple[str, str]:
    """What findings have in common that one run of a reproduction speaks for."""
    return finding.code, repr(finding.repro)


def _finding(finding: Finding, verification: Verification | None) -> str:
    rule = registry.find(finding.code)
    lines = [finding.message, *(f"- {reason.text}" for reason in finding.reasons)]
    if verification is not None:
        lines.append(f"- {verified(verification)}")
    facts = "\n".join(lines)
    return f"{facts}\n\n{page(rule)}" if rule is not None else facts


def page(rule: Rule) -> str:
    """A rule's page, for reading in an editor."""
    heading = f"**{rule.name}** ([{rule.code}]({rule.url()})), {rule.severity.value}, {rule.kind.value}"
    return f"{heading}\n\n{rule.documentation()}"


def _named_rule(source: Source, offset: int) -> tuple[Rule, int, int] | None:
    """The rule whose name or code stands at an offset within a suppression comment, and where it stands."""
    for suppression in suppressions(source):
        at, last = suppression.names_span
        for name in suppression.names or ():
            start = source.text.find(name, at, last)
            at = start + len(name)
            if start <= offset <= at and (rule := registry.find(name)) is not None:
                return rule, start, at
    return None
