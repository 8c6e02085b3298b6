import {
  commands,
  MarkdownString,
  StatusBarAlignment,
  ThemeColor,
  Uri,
  window,
  workspace,
  type Disposable,
  type ExtensionContext,
} from "vscode";
import { LanguageClient, State, type LanguageClientOptions, type Middleware } from "vscode-languageclient/node";
import { interpreter } from "./python";
import { find, type Found } from "./server";

const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];
const INSTALL = 'pip install "mlxlint[lsp]"';

/** One server at a time, and what the status bar says of it. */
export class Session implements Disposable {
  private readonly output = window.createOutputChannel("mlxlint", { log: true });
  private readonly status = window.createStatusBarItem("mlxlint", StatusBarAlignment.Right);
  private client: LanguageClient | undefined;
  private restarted = Promise.resolve();

  constructor(private readonly context: ExtensionContext) {
    this.status.name = "mlxlint";
    this.status.command = "mlxlint.showOutput";
    this.status.show();
  }

  /** Stop the server, if there is one, and start the one to be used now. */
  restart(): Promise<void> {
    this.restarted = this.restarted.then(() => this.stop()).then(() => this.start());
    return this.restarted;
  }

  showOutput(): void {
    this.output.show(true);
  }

  async dispose(): Promise<void> {
    await this.restarted.then(() => this.stop());
    this.status.dispose();
    this.output.dispose();
  }

  private async start(): Promise<void> {
    this.show("$(loading~spin) mlxlint", "starting");
    const found = await find(workspace.workspaceFolders?.[0]?.uri, this.output);
    if (found === undefined) {
      this.fail(`mlxlint was not found: ${INSTALL} in the environment of this project.`);
      return;
    }
    const env = { ...process.env, PYTHONSAFEPATH: "1" }; // no module of the workspace is taken for one of the server
    const run = { command: found.command, args: [...found.args], options: { env } };
    const client = new LanguageClient("mlxlint", "mlxlint", run, this.options());
    client.onDidChangeState(({ newState }) => this.follow(newState, found));
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.fail(`mlxlint did not start: ${error instanceof Error ? error.message : error}`);
    }
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose().catch((error: unknown) => this.output.warn(`${error}`));
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: SCHEMES.map((scheme) => ({ scheme, language: "python" })),
      outputChannel: this.output,
      middleware: middleware(serverSettings(this.context)),
    };
  }

  // The status

  private follow(state: State, found: Found): void {
    void commands.executeCommand("setContext", "mlxlint.running", state === State.Running);
    if (state === State.Running) {
      const version = this.client?.initializeResult?.serverInfo?.version;
      this.show("$(check) mlxlint", `${version}, ${found.where}`);
    } else if (state === State.Stopped) {
      this.show("$(circle-slash) mlxlint", "stopped", "statusBarItem.warningBackground");
    }
  }

  private show(text: string, state: string, background?: string): void {
    const about = new MarkdownString(`mlxlint: ${state}\n\n[Restart](command:mlxlint.restart)`);
    about.isTrusted = { enabledCommands: ["mlxlint.restart"] };
    this.status.text = text;
    this.status.tooltip = about;
    this.status.backgroundColor = background === undefined ? undefined : new ThemeColor(background);
  }

  private fail(message: string): void {
    this.show("$(error) mlxlint", message, "statusBarItem.errorBackground");
    this.output.error(message);
    void window.showErrorMessage(message, "Show Output", "Restart").then((chosen) => {
      if (chosen !== undefined) {
        void commands.executeCommand(chosen === "Restart" ? "mlxlint.restart" : "mlxlint.showOutput");
      }
    });
  }
}

/** The names of the settings that the server is told: all but those of this extension. */
function serverSettings(context: ExtensionContext): string[] {
  const [, ofChecks] = context.extension.packageJSON.contributes.configuration as { properties: object }[];
  return Object.keys(ofChecks!.properties).map((name) => name.slice("mlxlint.".length));
}

function middleware(names: readonly string[]): Middleware {
  return {
    workspace: {
      didChangeConfiguration: (_sections, next) => next(undefined), // the server asks what is set
      configuration: ({ items }) =>
        Promise.all(items.map(({ scopeUri }) => settings(names, scopeUri ? Uri.parse(scopeUri) : undefined))),
    },
    executeCommand: (command, args, next) => next(command, args.length > 0 ? args : ofActiveEditor(command)),
  };
}

/** What is set for a folder. Defaults are not sent: they would win over the config files. */
async function settings(names: readonly string[], folder: Uri | undefined): Promise<Record<string, unknown>> {
  const configuration = workspace.getConfiguration("mlxlint", folder);
  const set = names.filter((name) => {
    const { globalValue, workspaceValue, workspaceFolderValue } = configuration.inspect(name) ?? {};
    return (workspaceFolderValue ?? workspaceValue ?? globalValue) !== undefined;
  });
  const given = Object.fromEntries(set.map((name) => [name, configuration.get(name)]));
  return { ...given, interpreter: await interpreter(folder) };
}

function ofActiveEditor(command: string): unknown[] {
  const uri = window.activeNotebookEditor?.notebook.uri ?? window.activeTextEditor?.document.uri;
  return command === "mlxlint.fixAll" && uri !== undefined ? [`${uri}`] : [];
}
