import { homedir } from "node:os";
import { basename, resolve } from "node:path";
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

/** A program in the settings: a name to be found on the path, or a whole path; undefined when it is not set. */
export function setting(name: string, scope?: ConfigurationScope): string | undefined {
  const given = workspace.getConfiguration("mlxlint", scope).get<string>(name)?.trim();
  if (!given) {
    return undefined;
  }
  const folder = folderOf(scope)?.uri.fsPath ?? homedir();
  const path = given.replaceAll("${workspaceFolder}", folder).replace(/^~(?=[\\/])/, homedir());
  return basename(path) === path ? path : resolve(folder, path);
}

function folderOf(scope?: ConfigurationScope): WorkspaceFolder | undefined {
  const folder = scope && "scheme" in scope ? workspace.getWorkspaceFolder(scope) : undefined;
  return folder ?? workspace.workspaceFolders?.[0];
}

async function pythonExtension(): Promise<PythonExtension | undefined> {
  return extensions.getExtension(PVSC_EXTENSION_ID) ? PythonExtension.api() : undefined;
}
