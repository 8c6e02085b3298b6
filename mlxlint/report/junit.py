"""JUnit XML: a suite per file, a failed test per finding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TextIO
from xml.etree import ElementTree as ET

from mlxlint.report import ReportContext, shared
from mlxlint.rule import Finding

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    time = {} if context.elapsed is None else {"time": f"{context.elapsed:.3f}"}
    suites = ET.Element("testsuites", {"name": "mlxlint", **_totals(len(findings) or 1, len(findings)), **time})
    for path, group in groupby(findings, key=lambda finding: finding.path):
        _add_suite(suites, shared.relative(path, context.root), list(group))
    if not findings:  # a report without a test counts as a failed run in some services
        suite = ET.SubElement(suites, "testsuite", {"name": "mlxlint", **_totals(1, 0)})
        checked = f"{shared.counted(context.files, 'file')} checked"
        ET.SubElement(suite, "testcase", {"name": checked, "classname": "mlxlint"})
    ET.indent(suites)
    # ASCII with character references is valid whatever the stream's encoding
    stream.write(ET.tostring(suites, encoding="us-ascii", xml_declaration=True).decode("ascii") + "\n")


def _totals(tests: int, failures: int) -> dict[str, str]:
    return {"tests": str(tests), "failures": str(failures), "errors": "0"}


def _add_suite(suites: ET.Element, name: str, findings: list[Finding]) -> None:
    name = _NOT_XML.sub("", name)
    suite = ET.SubElement(suites, "testsuite", {"name": name, **_totals(len(findings), len(findings))})
    for finding in findings:
        title = f"{finding.code} {finding.name} {shared.place(finding)}"
        case = ET.SubElement(suite, "testcase", {"name": title, "classname": name})
        message = _NOT_XML.sub("", finding.message)
        failure = ET.SubElement(case, "failure", {"message": message, "type": finding.severity.value})
        below = (label + rest for label, rest in shared.explanation(finding))
        failure.text = _NOT_XML.sub("", "\n".join((f"{name}:{shared.place(finding)}: {finding.message}", *below)))
