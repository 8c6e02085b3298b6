import { commands, workspace, type ExtensionContext } from "vscode";
import { onDidChangeInterpreter } from "./python";
import { Session } from "./session";

/** Settings that tell which server to run. */
const OF_THE_SERVER = ["mlxlint.path", "mlxlint.interpreter"];

export async function activate(context: ExtensionContext): Promise<void> {
  const session = new Session(context);
  context.subscriptions.push(
    session,
    commands.registerCommand("mlxlint.restart", () => session.restart()),
    commands.registerCommand("mlxlint.showOutput", () => session.showOutput()),
    workspace.onDidChangeConfiguration((change) => {
      if (OF_THE_SERVER.some((name) => change.affectsConfiguration(name))) {
        void session.restart();
      }
    }),
    await onDidChangeInterpreter(() => void session.restart()),
  );
  await session.restart();
}
