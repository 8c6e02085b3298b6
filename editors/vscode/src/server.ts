import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { LogOutputChannel, Uri } from "vscode";
import { interpreter, setting } from "./python";

const PATIENCE = 30_000; // milliseconds: the first run after an installation compiles

/** A server that can be run, and where it was found. */
export interface Found {
  readonly command: string;
  readonly args: readonly string[];
  readonly where: string;
}

interface Candidate extends Found {
  readonly probe: readonly string[];
}

/** The server to run for a folder: that of the settings alone, or of the folder's Python, or of the path. */
export async function find(folder: Uri | undefined, log: LogOutputChannel): Promise<Found | undefined> {
  for (const candidate of await candidates(folder)) {
    const problem = await probe(candidate);
    if (problem === undefined) {
      log.info(`Using ${candidate.where}`);
      return candidate;
    }
    log.warn(`Not using ${candidate.where}: ${problem}`);
  }
  return undefined;
}

async function candidates(folder: Uri | undefined): Promise<Candidate[]> {
  const path = setting("path", folder);
  if (path !== undefined) {
    return [program(path, path)];
  }
  const python = await interpreter(folder);
  const onPath = program("mlxlint", "`mlxlint` on the path");
  return python === undefined ? [onPath] : [module(python), onPath];
}

function program(command: string, where: string): Candidate {
  return { command, where, args: ["server"], probe: ["--version"] };
}

function module(python: string): Candidate {
  const probe = ["-c", "import mlxlint.server.features"];
  return { command: python, where: `mlxlint of ${python}`, args: ["-m", "mlxlint", "server"], probe };
}

/** Why a server cannot be run; undefined when it can. */
async function probe({ command, probe }: Candidate): Promise<string | undefined> {
  try {
    await promisify(execFile)(command, probe, { timeout: PATIENCE });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return (stderr?.trim() || message).split("\n").at(-1);
  }
}
