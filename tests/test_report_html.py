"""The page of findings: whole in one file, readable without scripts, safe with any text, usable with thousands."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_cases import TEXT, finding, full, report

from mlxlint.report import page
from mlxlint.rule import Finding, Position, Severity, Verification

VOID = {"meta", "input", "wbr", "rect"}
BIG = 5000
TEXT_CONTRAST = 4.5  # between text and what is behind it, by WCAG 2 at level AA
PAIRS = [  # text and background
    *((text, back) for text in ("text", "weak", "link", "bad", "warn", "note", "good") for back in ("page", "raised")),
    ("mark-text", "mark"),
]
HOSTILE = "</code></pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;<!--"


class Page(HTMLParser):
    """A page as a browser reads it: tags in order, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.shown.append(data)

    @property
    def text(self) -> str:
        return "".join(self.shown)

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in tags]

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]


def html(*findings: Finding, **options: object) -> Page:
    return Page(report("html", *findings, **options))


def test_a_finding_is_told_with_its_code_and_what_was_seen() -> None:
    text = html(full()).text
    for part in (
        "model.py", "4:8", "MLX101", "boolean-mask-read: x[mask] reads through a mask", "kept = x[mask]",
        "because mask is boolean: result of > (line 3)", "fix [*]: Use mx.where",
        "confirmed on cpu, MLX 0.32.4: ValueError: boolean indices", "1 finding in 1 of 2 files.",
    ):  # fmt: skip
        assert part in text


def test_the_place_is_marked() -> None:
    assert "kept = <mark>x[mask]</mark>" in report("html", full())


def test_a_place_over_rows_is_marked_in_each_and_cut_short() -> None:
    text = "f(\n" + "".join(f"    a{n},\n" for n in range(20)) + ")\n"
    code = report("html", finding(text, text.rstrip()), sources=text)
    assert "<mark>f(</mark>" in code
    assert "    <mark>a0,</mark>" in code
    assert "a10," not in code
    assert "<mark>)</mark>" in code


def test_of_a_long_line_what_is_around_the_place_is_shown() -> None:
    text = f"x = [{'1, ' * 500}] + y[mask] + [{'1, ' * 500}]\n"
    code = report("html", finding(text, "y[mask]"), sources=text)
    [row] = re.findall(r"<pre><code>.*</code></pre>", code)
    assert "<mark>y[mask]</mark>" in row
    assert row.count("...") == 2
    assert len(row) < 300


def test_a_file_that_cannot_be_read_any_more_has_no_code() -> None:
    assert "<pre>" not in report("html", full(), sources=None)


def test_no_findings() -> None:
    shown = html(files=40)
    assert "No problems found in 40 files." in shown.text
    assert shown.named("form", "details") == []


def test_notebooks_name_the_cell() -> None:
    assert "cell 3:4:8" in html(finding(path="port.ipynb", cell=3)).text


# One file


def test_nothing_is_loaded() -> None:
    written = report("html", full())
    parsed = Page(written)
    for attributes in (attributes for _, attributes in parsed.tags):
        assert not attributes.keys() & {"src", "srcset", "style", "background", "action"}
        assert not [name for name in attributes if name.startswith("on")]
    assert parsed.named("link", "iframe", "object", "embed", "base", "img") == []
    assert "url(" not in written
    assert "@import" not in written


def test_the_policy_lets_nothing_run_but_the_page_itself() -> None:
    written = report("html", full())
    policy = next(tag["content"] for tag in Page(written).named("meta") if "http-equiv" in tag) or ""
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        [content] = re.findall(f"<{kind}>(.*)</{kind}>", written, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


# Any text


def hostile() -> Finding:
    text = f"x = y  # {HOSTILE}\n"
    verification = Verification("confirmed", HOSTILE, HOSTILE, HOSTILE)
    made = finding(text, text.strip(), message=HOSTILE, path=f"{HOSTILE}.py", url=f"javascript:{HOSTILE}")
    return replace(made, name=HOSTILE, code='MLX101"><script>', verification=verification)


def test_hostile_text_stays_text() -> None:
    written = report("html", hostile(), sources=f"x = y  # {HOSTILE}\n")
    parsed = Page(written)
    assert len(parsed.named("script")) == 1
    assert parsed.named("img") == []
    assert parsed.text.count("alert(1)") >= 4
    assert not [tag for tag in parsed.named("a") if not (tag["href"] or "").startswith(("#", "https://"))]


ANY = st.text(st.characters(exclude_categories=()), max_size=40)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ANY, ANY, ANY)
def test_any_text_is_shown_and_makes_no_tags(message: str, name: str, code: str) -> None:
    source = f"x = '{code}'\n"
    plain = [tag for tag, _ in html(full()).tags if tag != "code"]
    made = replace(full(), message=message, path=f"{name}.py", offsets=(0, 1), start=Position(1, 1), end=Position(1, 2))
    shown = html(made, sources=source)
    tags = [tag for tag, _ in shown.tags if tag not in ("code", "wbr")]
    assert tags == [tag for tag in plain if tag != "wbr"]


def test_direction_marks_and_control_characters_are_made_visible() -> None:
    written = report("html", full(TEXT.replace("kept", "k\u202eept")), sources=TEXT.replace("kept", "k\u202ee\x1bpt"))
    assert "\u202e" not in written
    assert "\x1b" not in written


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_stream_can_take_it(encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    report("html", finding(message="日本 \udcff \U0001f600"), stream=Stream(out))
    assert "日本" in Page(out.buffer.getvalue().decode(encoding)).text  # type: ignore[attr-defined]


class Stream(io.StringIO):
    """A stream that passes on what it is given."""

    def __init__(self, to: io.TextIOWrapper) -> None:
        super().__init__()
        self.to = to

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.to.encoding

    def write(self, text: str) -> int:
        self.to.write(text)
        self.to.flush()
        return len(text)


# For everyone


def test_landmarks_headings_and_labels() -> None:
    parsed = html(full(), finding(severity=Severity.WARNING))
    assert [len(parsed.named(tag)) for tag in ("header", "nav", "main", "h1")] == [1, 1, 1, 1]
    [language] = parsed.named("html")
    assert language["lang"] == "en"
    assert all(tag.get("aria-labelledby") in parsed.ids() for tag in parsed.named("section"))
    assert all(tag.get("aria-hidden") == "true" for tag in parsed.named("svg"))
    assert all(tag.get("scope") in ("col", "row") for tag in parsed.named("th"))
    assert len(set(parsed.ids())) == len(parsed.ids())
    links = [tag["href"] or "" for tag in parsed.named("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(parsed.ids())


def test_every_control_has_a_label() -> None:
    form = re.search("<form.*?</form>", report("html", full(), finding(severity=Severity.INFO)), re.DOTALL)
    assert form is not None
    controls = re.findall(r"<(?:input|select)\b", form[0])
    labelled = re.findall(r"<label>(?:(?!</label>).)*?<(?:input|select)\b", form[0])
    assert len(labelled) == len(controls) == 6


def test_severity_is_told_in_words_and_signs_too() -> None:
    for severity in Severity:
        item = report("html", finding(severity=severity)).partition("<li data-item")[2]
        assert re.search(rf'<span aria-hidden="true">\S+</span> {severity.value}</span>', item)


def test_without_scripts_filters_are_hidden_and_findings_are_not() -> None:
    written = report("html", full())
    assert '<html lang="en" class="plain">' in written
    assert ".plain .filters { display: none; }" in written
    assert "hidden" not in dict(next(tag for tag in Page(written).tags if "data-item" in tag[1])[1])


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(scheme: int) -> None:
    style = (Path(page.__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
    colors = dict(re.findall(r"--([\w-]+): (#\w{6})", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]))
    for front, back in PAIRS:
        lighter, darker = sorted((luminance(colors[front]), luminance(colors[back])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= TEXT_CONTRAST, (front, back)


# Thousands


def test_thousands_of_findings_stay_small_and_begin_closed() -> None:
    findings = [replace(full(), path=f"package/module_{index // 10}.py") for index in range(BIG)]
    written = report("html", *findings)
    assert len(written) < 1000 * BIG
    assert written.count("<li data-item ") == BIG
    groups = re.findall('<details class="group"[^>]*>', written)
    assert len(groups) == BIG / 10
    assert not [tag for tag in groups if tag.endswith("open>")]


def test_a_few_findings_begin_open() -> None:
    assert [tag for tag in html(full()).named("details") if "open" in tag]
