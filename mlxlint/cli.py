"""The command line. Only click is imported until a command runs: ``--version`` and ``--help`` answer at once."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from mlxlint import __version__

if TYPE_CHECKING:
    from mlxlint.config import Settings
    from mlxlint.files import Found
    from mlxlint.rule import Applicability, Rule, Verification
    from mlxlint.run import Advance, Result, Texts

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "html")
DEVICES = ("auto", "metal", "cuda", "cpu")
SEVERITIES = ("error", "warning", "info")
CONFIDENCES = ("certain", "likely", "possible")
COMMANDS_ELSEWHERE = {
    "audit": "mlxlint.audit.command:audit_command",
    "probe": "mlxlint.verify.command:probe_command",
    "releases": "mlxlint.releases.command:releases_command",
    "server": "mlxlint.server.command:server_command",
    "skill": "mlxlint.skill.command:skill_command",
}
MODES = ("show_files", "show_settings", "add_ignores", "write_baseline")  # of `check`, each in place of a report

CLEAN, FINDINGS, FAILURE = 0, 1, 2
INTERNAL_ERROR = "MLX002"
LONG_RUN = 2.0  # seconds after which a run shows its progress


class Failure(click.ClickException):
    """What was asked for cannot be done; the message is one line."""

    exit_code = FAILURE


class Commands(click.Group):
    """Commands, of which ``check`` is meant when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        commands = self.list_commands(ctx)
        if args and args[0] not in {*commands, *own}:
            import difflib

            near = difflib.get_close_matches(args[0], commands)
            if near and not args[0].startswith("-") and not os.path.lexists(args[0]):
                raise click.UsageError(f"no such command or file: {args[0]} (did you mean `{near[0]}`?)")
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *COMMANDS_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS_ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        import importlib

        module, _, name = COMMANDS_ELSEWHERE[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


def _words(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> list[str]:
    """Words separated by commas, in one option or several."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(__version__, message="mlxlint %(version)s")
def cli() -> None:
    """Find what will crash, differ or be slow in code ported from PyTorch to MLX.

    `mlxlint PATH...` is short for `mlxlint check PATH...`.
    """


def main() -> NoReturn:
    """The console script. Every failure is one line on stderr; no interrupt or closed pipe shows a traceback."""
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()  # closed, they are None
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # shows also what the locale has no letters for
    gc.disable()  # for syntax trees, millions of objects that it would go through in vain, and there is little else
    try:
        code = cli.main(prog_name="mlxlint", standalone_mode=False)
    except click.ClickException as error:
        say("error", error.format_message())
        code = FAILURE
    except click.Abort as error:
        if not isinstance(error.__cause__, EOFError):  # click's Ctrl-D at a question, of which there are none here
            _end_as_interrupted()
        code = _internal_error()
    except Exception:
        code = _internal_error()
    _end(code or 0)


def _end(code: int) -> NoReturn:
    """Ends without taking the trees apart, node by node, that the process is rid of at once."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a closed pipe
            stream.flush()
    os._exit(code)


def _internal_error() -> int:
    import traceback

    traceback.print_exc()
    say("error", "internal error, please report it: https://github.com/mlxlint/mlxlint/issues")
    return FAILURE


def _end_as_interrupted() -> NoReturn:
    """Ends by SIGINT itself, so that a calling shell stops too; with 130 where there are no signals."""
    if os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(130)


def say(kind: str, text: str) -> None:
    """One line on stderr."""
    click.echo(f"mlxlint: {kind}: {' '.join(text.split())}", err=True)


def emit(write: Callable[[TextIO], object]) -> None:
    """Write to stdout. When its reader has seen enough, the rest goes nowhere, and that is no failure."""
    try:
        write(sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk
        raise Failure(f"standard output: {error.strerror}") from None


@contextmanager
def failures() -> Iterator[None]:
    """Turns what users can cause into one line and exit code 2."""
    from mlxlint.baseline import BaselineError
    from mlxlint.config import ConfigError
    from mlxlint.registry import BrokenRulePack
    from mlxlint.run import ExecutorError

    try:
        yield
    except (BaselineError, BrokenRulePack, ConfigError, ExecutorError) as error:
        raise Failure(str(error)) from None


@contextmanager
def _verifying() -> Iterator[None]:
    from mlxlint.verify import VerifyError

    try:
        yield
    except VerifyError as error:
        raise Failure(str(error)) from None


# check


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(readable=False))
@click.option("--select", callback=_words, multiple=True, help="Rules to report: codes, prefixes, names, ALL.")
@click.option("--ignore", callback=_words, multiple=True, help="Rules not to report.")
@click.option("--extend-select", callback=_words, multiple=True, help="Rules to report beside the config's.")
@click.option("--per-file-ignores", callback=_words, multiple=True, metavar="GLOB:RULE", help="Rules to ignore there.")
@click.option("--min-confidence", type=click.Choice(CONFIDENCES), help="How sure a finding must be [likely].")
@click.option("--target-mlx", metavar="VERSION", help='The MLX releases the code is for: 0.31 or ">=0.30,<0.32".')
@click.option("--target-mlx-lm", metavar="VERSION", help="The MLX-LM releases the code is for.")
@click.option("--fix", is_flag=True, help="Make the safe fixes, and report what is left.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: also the fixes that may change meaning.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and write nothing.")
@click.option("--verify/--no-verify", default=None, help="Run each finding's reproduction on MLX.")
@click.option("--device", type=click.Choice(DEVICES), help="Where --verify runs [auto].")
@click.option("--output-format", type=click.Choice(FORMATS), help="How findings are reported [text].")
@click.option("--output-file", type=click.Path(dir_okay=False), help="Write the report to a file.")
@click.option("--statistics/--no-statistics", default=None, help="Count by rule.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="The least severity to exit with 1 [warning].")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 also when there are findings.")
@click.option("--baseline", type=click.Path(dir_okay=False), help="Leave out the findings on record in FILE.")
@click.option("--write-baseline", type=click.Path(dir_okay=False), help="Record all findings in FILE.")
@click.option("--add-ignores", is_flag=True, help="Write a suppression comment at every finding.")
@click.option("--stdin-filename", metavar="NAME", help="Check stdin as the file NAME.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Worker processes [one a processor].")
@click.option("--executor", metavar="ADDRESS", help="A Dask cluster to use in place of processes: dask://HOST:PORT.")
@click.option("--no-cache", is_flag=True, help="Check every file anew.")
@click.option("--isolated", is_flag=True, help="Read no config file.")
@click.option("--config", type=click.Path(dir_okay=False), help="The config file for all paths.")
@click.option("--show-files", is_flag=True, help="List the files that would be checked.")
@click.option("--show-settings", is_flag=True, help="Show the settings the paths are checked with.")
def check(paths: tuple[str, ...], **options: Any) -> int:
    """Check files and folders (default: the working folder); `-` is stdin."""
    with failures():
        paths = paths or (("-",) if options["stdin_filename"] else (".",))
        _refuse_conflicts(paths, options)
        return _Check(paths, options).run()


def _refuse_conflicts(paths: tuple[str, ...], options: dict[str, Any]) -> None:
    def option(name: str) -> str:
        return "--" + name.replace("_", "-")

    modes = [option(mode) for mode in MODES if options[mode]]
    fixing = [option(mode) for mode in ("fix", "diff") if options[mode]]
    stdin = "-" in paths
    for refused, why in (
        (len(modes) > 1, f"{' and '.join(modes)} exclude each other"),
        (modes and fixing, f"{' and '.join(modes[:1] + fixing[:1])} exclude each other"),
        (options["isolated"] and options["config"], "--isolated and --config exclude each other"),
        (stdin and len(paths) > 1, "`-` (stdin) and other paths exclude each other"),
        (options["stdin_filename"] and not stdin, "--stdin-filename and paths exclude each other"),
        (stdin and options["add_ignores"], "--add-ignores cannot write to stdin"),
    ):
        if refused:
            raise click.UsageError(why)


def _configured(options: dict[str, Any]) -> dict[str, Any]:
    """The given options that are keys of the config file too."""
    from mlxlint.config import KEYS

    given = {name.replace("_", "-"): value for name, value in options.items() if value not in (None, [])}
    if "per-file-ignores" in given:
        given["per-file-ignores"] = _per_file(given["per-file-ignores"])
    return {key: value for key, value in given.items() if key in KEYS}


def _per_file(words: Sequence[str]) -> dict[str, list[str]]:
    """``GLOB:RULE`` opens a glob's rules, a word without colon adds to them."""
    table: dict[str, list[str]] = {}
    glob = ""
    for word in words:
        before, colon, rule = word.rpartition(":")
        glob = before if colon else glob
        if not glob or not rule:
            raise click.UsageError(f"--per-file-ignores: expected GLOB:RULE, not `{word}`")
        table.setdefault(glob, []).append(rule)
    return table


class _Check:
    """One run of ``check``: what was asked for, and what is in the way of it."""

    def __init__(self, paths: Sequence[str], options: dict[str, Any]) -> None:
        from mlxlint.config import Configuration

        self.paths = paths
        self.options = options
        self.stdin = "-" in paths
        self.problems: dict[str, None] = {}
        self.configuration = Configuration(_configured(options), config=options["config"], isolated=options["isolated"])
        self.settings = self._settings()

    def run(self) -> int:
        import time

        begun = time.monotonic()
        if self.options["show_settings"]:
            emit(lambda out: click.echo(self.settings.describe(), out))
            return self._code()
        if self.options["show_files"]:
            names = [file.shown for file in self._found().files]
            emit(lambda out: out.writelines(f"{name}\n" for name in names))
            return self._code()
        result, texts = self._check_stdin() if self.stdin else self._check_files()
        if self.options["add_ignores"]:
            self._add_ignores(result, texts)
            return self._code()
        if path := self.options["write_baseline"]:
            self._write_baseline(path, result, texts)
            return self._code()
        self._note_fixes_given_up(result)
        if self.options["diff"]:
            return self._show_diffs(result, texts)
        fixed = self._make_fixes(result, texts) if self.options["fix"] else 0
        found = len(result.findings)
        self._leave_out_baselined(result, texts)
        self._verify(result)
        elapsed = time.monotonic() - begun
        self._report(result, texts, baselined=found - len(result.findings), fixed=fixed, elapsed=elapsed)
        return self._code(result)

    def _settings(self) -> Settings:
        """The settings of the run as a whole: those nearest to what the paths have in common."""
        from mlxlint.config import ConfigError

        names = [self.options["stdin_filename"] or os.curdir] if self.stdin else self.paths
        paths = [os.path.abspath(name) for name in names]
        try:
            common = os.path.commonpath(paths)
            return self.configuration.settings(common if os.path.isdir(common) else os.path.dirname(common))
        except ConfigError as error:
            self.problems[str(error)] = None
        except ValueError:  # on different drives
            pass
        return self.configuration.default

    def _found(self) -> Found:
        from mlxlint.files import collect

        found = collect(self.paths, self.configuration)
        self.problems |= dict.fromkeys(found.problems)
        if not found.files and not self.problems:
            say("warning", f"no Python files found: {', '.join(self.paths)}")
        return found

    def _check_files(self) -> tuple[Result, Texts]:
        from mlxlint import run

        with progress() as advance:
            files, jobs = self._found().files, self.settings.value("jobs")
            result = run.check(
                files, jobs=jobs, advance=advance, fixes=self._fixes(),
                cached=not self.options["no_cache"], executor=self.options["executor"],
            )  # fmt: skip
        self.problems |= dict.fromkeys(result.problems)
        return result, run.Texts()

    def _check_stdin(self) -> tuple[Result, Texts]:
        from mlxlint import run

        data = sys.stdin.buffer.read()
        texts = run.Texts({self._stdin_name: data})
        name = self.options["stdin_filename"]
        path = name and os.path.abspath(name)
        if self.problems or (path and self.settings.excludes(path)):
            return run.Result(), texts
        return run.check_text(data, self.settings, shown=self._stdin_name, path=path, fixes=self._fixes()), texts

    @property
    def _stdin_name(self) -> str:
        from mlxlint.config import shown
        from mlxlint.run import STDIN

        name = self.options["stdin_filename"]
        return shown(os.path.abspath(name)) if name else STDIN

    def _fixes(self) -> Applicability | None:
        """The least safe fixes to make."""
        from mlxlint.rule import Applicability

        if not (self.options["fix"] or self.options["diff"]):
            return None
        return Applicability.UNSAFE if self.options["unsafe_fixes"] else Applicability.SAFE

    def _note_fixes_given_up(self, result: Result) -> None:
        if self.options["unsafe_fixes"] and self._fixes() is None:
            say("note", "--unsafe-fixes does nothing without --fix or --diff")
        for path, fixed in result.fixed.items():
            if fixed.broken:
                say("warning", f"{path}: fixes that would break the file were not made: {', '.join(fixed.broken)}")
            if not fixed.stable:
                say("warning", f"{path}: there was more to fix after the last pass")

    def _show_diffs(self, result: Result, texts: Texts) -> int:
        from mlxlint.fix import diff

        count = sum(len(fixed.fixed) for fixed in result.fixed.values())
        diffs = [diff(path, texts.text(path) or "", fixed.source.text) for path, fixed in result.fixed.items()]
        emit(lambda out: out.writelines(diffs))
        say("note", f"would fix {count} finding{'s' * (count != 1)}")
        changes = any(diffs) and not self.options["exit_zero"]
        return self._code() or (FINDINGS if changes else CLEAN)

    def _make_fixes(self, result: Result, texts: Texts) -> int:
        """Write the texts that fixes made, and turn to what is left in them. Returns how many findings were fixed."""
        from mlxlint.files import problem, write_whole

        count = 0
        for path, fixed in result.fixed.items():
            data = fixed.source.encode(fixed.source.text)
            try:
                if self.stdin:
                    texts.give(path, data)
                else:
                    write_whole(path, data)
            except OSError as error:
                self.problems[problem(path, error)] = None
                continue
            result.take_fixed(path)
            count += len(fixed.fixed)
        if self.stdin:
            data = texts.data(self._stdin_name)
            emit(lambda out: out.buffer.write(data))
        return count

    def _add_ignores(self, result: Result, texts: Texts) -> None:
        from mlxlint.files import problem, write_whole
        from mlxlint.rule import Kind
        from mlxlint.suppress import add_ignores

        count = 0
        for path in result.checked:
            findings = [f for f in result.findings if f.path == path and f.kind is not Kind.TOOL]
            source = texts.source(path) if findings else None
            if source is None:
                continue
            try:
                write_whole(path, source.encode(add_ignores(source, findings)))
                count += len(findings)
            except OSError as error:
                self.problems[problem(path, error)] = None
        say("note", f"suppressed {count} finding{'s' * (count != 1)}")

    def _write_baseline(self, path: str, result: Result, texts: Texts) -> None:
        from mlxlint.baseline import Baseline

        baseline = Baseline(path)
        baseline.record(result.findings, texts.line)
        baseline.write()
        count = baseline.entries.total()
        say("note", f"recorded {count} finding{'s' * (count != 1)} in {path}")

    def _leave_out_baselined(self, result: Result, texts: Texts) -> None:
        from mlxlint.baseline import Baseline

        path = self.settings.path("baseline")
        if path is None:
            return
        baseline = Baseline.read(path)
        result.findings, left = baseline.filter(result.findings, texts.line)
        if stale := baseline.stale(left, result.checked, self.settings.codes):
            say("note", f"{stale} finding{'s' * (stale != 1)} on record in {path} no longer found: write it anew")

    def _verify(self, result: Result) -> None:
        if not self.settings.value("verify") or not result.findings:
            return
        from mlxlint.verify import verify

        device, address = self.settings.value("device"), self.options["executor"]
        with _verifying():
            if address is None:
                result.findings = verify(result.findings, device)
                return
            from mlxlint.cluster import connected

            with connected(address) as cluster:
                result.findings = verify(result.findings, device, run=cluster.reproduce)

    def _report(self, result: Result, texts: Texts, *, baselined: int, fixed: int, elapsed: float) -> None:
        from pathlib import Path

        from mlxlint import registry, report

        format = self.settings.value("output-format")
        context = report.ReportContext(
            texts.text, len(result.checked), Path.cwd(), self.settings.value("statistics"),
            elapsed=elapsed, baselined=baselined, fixed=fixed, rules=registry.rules(),
        )  # fmt: skip
        if fixed and format != "text":
            say("note", f"fixed {fixed} finding{'s' * (fixed != 1)}")
        try:
            if path := self.options["output_file"]:
                write_report(path, lambda out: report.write(format, result.findings, context, out))
            elif self.stdin and self.options["fix"]:  # stdout has the fixed text
                report.write(format, result.findings, context, sys.stderr)
            else:
                emit(lambda out: report.write(format, result.findings, context, out))
        except ValueError as error:
            raise Failure(str(error)) from None

    def _code(self, result: Result | None = None) -> int:
        for problem in self.problems:
            say("error", problem)
        findings = result.findings if result else []
        if self.problems or any(finding.code == INTERNAL_ERROR for finding in findings):
            return FAILURE
        failing = result is not None and any(map(result.fails, findings))
        return FINDINGS if failing and not self.options["exit_zero"] else CLEAN


def write_report(path: str, write: Callable[[TextIO], None]) -> None:
    import io

    from mlxlint.files import problem, write_whole

    text = io.StringIO()
    write(text)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise Failure(problem(path, error)) from None


@contextmanager
def progress() -> Iterator[Advance | None]:
    """A bar on stderr for a long run, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    import time
    from contextlib import ExitStack

    begun = time.monotonic()
    bars: list[Callable[[int], None]] = []

    def advance(done: int, total: int) -> None:
        if not bars and done < total and time.monotonic() - begun > LONG_RUN:
            bars.append(stack.enter_context(_bar(total)))
        for update in bars:
            update(done)

    with ExitStack() as stack:
        yield advance


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Checking"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)


# cache


@cli.group()
def cache() -> None:
    """The findings kept from run to run, beside the nearest config file or else in the working folder."""


def _cache_folder() -> str:
    from mlxlint.cache import folder
    from mlxlint.config import Configuration

    return folder(Configuration().settings(os.getcwd()))


@cache.command("dir")
def cache_dir() -> int:
    """Show where they are."""
    with failures():
        folder = _cache_folder()
    emit(lambda out: click.echo(folder, out))
    return CLEAN


@cache.command("clean")
def cache_clean() -> int:
    """Remove them."""
    from mlxlint.cache import clean
    from mlxlint.files import problem

    with failures():
        folder = _cache_folder()
    try:
        removed = clean(folder)
    except OSError as error:
        raise Failure(problem(folder, error)) from None
    say("note", f"removed {folder}" if removed else f"nothing to remove in {folder}")
    return CLEAN


# rule


@cli.command()
@click.argument("rule", required=False)
@click.option("--all", "every", is_flag=True, help="Explain every rule.")
@click.option("--output-format", type=click.Choice(("text", "json")), default="text", show_default=True, help="How.")
@click.option("--repro", is_flag=True, help="Print the reproduction: code that shows the hazard and its remedy on MLX.")
@click.option("--run", is_flag=True, help="With --repro: run it on the MLX installed.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to run it.")
def rule(rule: str | None, every: bool, output_format: str, repro: bool, run: bool, device: str) -> int:
    """Explain a rule, given by code or name; without one, list them all."""
    with failures():
        if rule and every:
            raise click.UsageError("RULE and --all exclude each other")
        if run and not repro:
            raise click.UsageError("--run goes with --repro")
        if repro:
            return _show_reproduction(_rule(rule), run, device)
        _explain([_rule(rule)] if rule else _rules(), output_format, brief=not (rule or every))
        return CLEAN


def _rules() -> list[Rule]:
    from mlxlint import registry

    return list(registry.rules().values())


def _rule(text: str | None) -> Rule:
    from mlxlint import registry
    from mlxlint.config import suggest_rule

    if text is None:
        raise click.UsageError("--repro needs a RULE")
    found = registry.find(text)
    if found is None:
        raise Failure(f"no such rule: {text}{suggest_rule(text)}")
    return found


def _explain(rules: Sequence[Rule], output_format: str, *, brief: bool) -> None:
    if output_format == "json":
        import json

        described = [_described(rule) for rule in rules]
        emit(lambda out: click.echo(json.dumps(described[0] if len(rules) == 1 else described, indent=2), out))
    elif brief:
        emit(lambda out: out.writelines(f"{rule.code}  {rule.name}: {rule.summary()}\n" for rule in rules))
    else:
        text = "\n\n".join(map(_page, rules))
        emit(lambda out: _write_markdown(text, out))


def _described(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "name": rule.name,
        "aliases": list(rule.aliases),
        "summary": rule.summary(),
        "kind": rule.kind.value,
        "severity": rule.severity.value,
        "fixable": rule.fixable.value,
        "verifiable": rule.repro is not None,
        "documentation": rule.documentation(),
        "url": rule.url(),
    }


def _page(rule: Rule) -> str:
    fixable = f", fix {rule.fixable.value}" if rule.fixable.value != "never" else ""
    facts = f"{rule.severity.value}, {rule.kind.value}{fixable}"
    return f"# {rule.name} ({rule.code})\n\n{facts}: <{rule.url()}>\n\n{rule.documentation()}"


def _write_markdown(text: str, out: TextIO) -> None:
    """Markdown, laid out for a terminal."""
    if out.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console(file=out).print(Markdown(text))
    else:
        click.echo(text, out)


def _show_reproduction(rule: Rule, run: bool, device: str) -> int:
    import inspect
    import textwrap

    if rule.repro is None:
        raise Failure(f"{rule.code} ({rule.name}) has no reproduction")
    source = textwrap.dedent(inspect.getsource(rule.repro))
    emit(lambda out: click.echo(source, out))
    if not run:
        return CLEAN
    from mlxlint.verify import run_one

    with _verifying():
        verification = run_one(rule, {}, device)
    emit(lambda out: click.echo(_seen(verification), out))
    return CLEAN if verification.status in ("confirmed", "skipped") else FINDINGS


def _seen(verification: Verification) -> str:
    from mlxlint.report.shared import verified

    return verified(verification)
