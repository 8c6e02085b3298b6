import { PVSC_EXTENSION_ID, PythonExtension } from "@vscode/python-extension";
import { Disposable, extensions, workspace, type ConfigurationScope, type Uri, type WorkspaceFolder } from "vscode";

/** The Python of a folder: that of the settings, else the one chosen in the Python extension. */
export async function interpreter(folder?: Uri): Promise<string | undefined> {
  const set = setting("interpreter", folder);
  if (set !== undefined) {
    return set;
  }
  const environments = (await pythonExtension())?.environments;
  const chosen = environments?.getActiveEnvironmentPath(folder);
  const environment = chosen && (await environments?.resolveEnvironment(chosen));
  return environment?.executable.uri?.fsPath;
}

/** Calls back when another Python is chosen in the Python extension. */
export async function onDidChangeInterpreter(changed: () => void): Promise<Disposable> {
  const python = await pythonExtension();
  return python?.environments.onDidChangeActiveEnvironmentPath(changed) ?? new Disposable(() => {});
}

/** A path in the settings; undefined when it is not set. */
export function setting(name: string, scope?: ConfigurationScope): string | undefined {
  const path = workspace.getConfiguration("mlxlint", scope).get<string>(name)?.trim();
  return path ? path.replaceAll("${workspaceFolder}", folderOf(scope)?.uri.fsPath ?? "") : undefined;
}

function folderOf(scope?: ConfigurationScope): WorkspaceFolder | undefined {
  const folder = scope && "scheme" in scope ? workspace.getWorkspaceFolder(scope) : undefined;
  return folder ?? workspace.workspaceFolders?.[0];
}

async function pythonExtension(): Promise<PythonExtension | undefined> {
  return extensions.getExtension(PVSC_EXTENSION_ID) ? PythonExtension.api() : undefined;
}
