"""What is shown of a rule where the pointer rests: on a finding, or on a rule's name in a suppression comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mlxlint import registry
from mlxlint.rule import Finding, Rule
from mlxlint.server.text import offset_at, range_at
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
        offset = offset_at(checked.source, params.position, server.encoding)
        found = [f for f in checked.findings if f.offsets[0] <= offset <= max(f.offsets[1] - 1, f.offsets[0])]
        if found:
            start = max(finding.offsets[0] for finding in found)
            end = min(finding.offsets[1] for finding in found)
            text = "\n\n---\n\n".join(_finding(finding) for finding in found)
        elif (named := _named_rule(checked.source, offset)) is not None:
            rule, start, end = named
            text = page(rule)
        else:
            return None
        content = types.MarkupContent(types.MarkupKind.Markdown, text)
        return types.Hover(content, range_at(checked.source, start, end, server.encoding))


def _finding(finding: Finding) -> str:
    rule = registry.find(finding.code)
    reasons = "".join(f"\n- {reason.text}" for reason in finding.reasons)
    return f"{finding.message}\n{reasons}\n\n{page(rule) if rule is not None else finding.code}"


def page(rule: Rule) -> str:
    """A rule's page, for reading in an editor."""
    facts = f"{rule.severity.value}, {rule.kind.value}"
    return f"**{rule.name}** ([{rule.code}]({rule.url()})): {facts}\n\n{rule.documentation()}"


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
