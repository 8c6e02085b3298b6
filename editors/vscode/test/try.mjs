// Does in a real VS Code what people do, and ends with 1 where something else is seen than should be.
//
//   CODE_SERVER   code-server, or its entry.js  [code-server]
//   CHROMIUM      [/usr/bin/chromium]
//   PYTHON        a Python with mlxlint[lsp]    [python3]
//   SCREENSHOTS   a folder for pictures         [none are taken]

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import puppeteer from "puppeteer-core";

const HERE = dirname(fileURLToPath(import.meta.url));
const { CODE_SERVER = "code-server", CHROMIUM = "/usr/bin/chromium", PYTHON = "python3", SCREENSHOTS } = process.env;
const PATIENCE = 60_000;

const PORT = `import mlx.core as mx


def pool(hidden: mx.array, mask: mx.array) -> mx.array:
    kept = hidden[mask > 0]
    return kept.mean(axis=0)


x = mx.zeros((3, 4))
flat = x.view(12)
peak = mx.metal.get_peak_memory()
`;
const CELLS = ["%pip install mlx\nimport mlx.core as mx\nx = mx.zeros(12)", "kept = x[x > 0]\ny = x.view(3, 4)"];
const NOTEBOOK = {
  cells: CELLS.map((source) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source })),
  metadata: { language_info: { name: "python" } },
  nbformat: 4,
  nbformat_minor: 5,
};

const QUIET = {
  "chat.disableAIFeatures": true,
  "editor.minimap.enabled": false,
  "files.autoSave": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
};

const scratch = mkdtempSync(join(tmpdir(), "mlxlint-"));
const folder = join(scratch, "port");
const profile = ["--user-data-dir", join(scratch, "data"), "--extensions-dir", join(scratch, "extensions")];

function codeServer(...args) {
  const [command, before] = CODE_SERVER.endsWith(".js") ? [process.execPath, [CODE_SERVER]] : [CODE_SERVER, []];
  return [command, [...before, ...profile, ...args], { env: { ...process.env, XDG_CONFIG_HOME: scratch } }];
}

function prepare() {
  mkdirSync(folder);
  mkdirSync(join(scratch, "data", "User"), { recursive: true });
  writeFileSync(join(folder, "port.py"), PORT);
  writeFileSync(join(folder, "unopened.py"), "import mlx.core as mx\n\nmx.metal.clear_cache()\n");
  writeFileSync(join(folder, "port.ipynb"), JSON.stringify(NOTEBOOK));
  writeFileSync(join(scratch, "data", "User", "settings.json"), JSON.stringify(QUIET));
  const python = join(scratch, "python.vsix");
  const vsce = join(HERE, "..", "node_modules", "@vscode", "vsce", "vsce");
  execFileSync(process.execPath, [vsce, "package", "--skip-license", "--out", python], { cwd: join(HERE, "python") });
  for (const extension of [python, join(HERE, "..", "mlxlint.vsix")]) {
    const [command, args, options] = codeServer("--install-extension", extension);
    execFileSync(command, args, { ...options, stdio: "ignore" });
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

async function serve(port) {
  const [command, args, options] = codeServer(
    ...["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry", "--disable-update-check"],
    ...["--disable-workspace-trust", "--disable-getting-started-override"],
  );
  const server = spawn(command, args, { ...options, stdio: "ignore" });
  server.once("error", (error) => console.error(`code-server: ${error.message}`));
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await sleep(200)) {
    if (await fetch(`http://127.0.0.1:${port}/healthz`).then((answer) => answer.ok).catch(() => false)) {
      return server;
    }
  }
  throw new Error("code-server did not start: is CODE_SERVER right?");
}

/** A window of the editor, and what a person does and sees there. */
class Window {
  constructor(page) {
    this.page = page;
  }

  async press(...keys) {
    for (const key of keys.slice(0, -1)) {
      await this.page.keyboard.down(key);
    }
    await this.page.keyboard.press(keys.at(-1));
    for (const key of keys.slice(0, -1).reverse()) {
      await this.page.keyboard.up(key);
    }
  }

  texts(selector) {
    return this.page.$$eval(selector, (found) => found.map((each) => each.textContent.replaceAll("\u00a0", " ")));
  }

  /** Wait until something seen is so. */
  async until(what, seen) {
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await sleep(100)) {
      const found = await seen();
      if (found) {
        console.log(`ok: ${what}`);
        return found;
      }
    }
    await this.picture("failed");
    throw new Error(`not seen: ${what}`);
  }

  async open(name) {
    await this.press("Control", "p");
    await this.page.waitForSelector(".quick-input-widget input");
    await this.page.keyboard.type(name, { delay: 20 });
    await this.until(`${name} is offered`, async () =>
      (await this.texts(".quick-input-list .monaco-list-row")).some((row) => row.includes(name)),
    );
    await this.press("Enter");
  }

  async run(command) {
    await this.press("F1");
    await this.page.waitForSelector(".quick-input-widget input");
    await this.page.keyboard.type(command, { delay: 20 });
    await this.until(`"${command}" is offered`, async () =>
      (await this.texts(".quick-input-list .monaco-list-row"))[0]?.includes(command),
    );
    await this.press("Enter");
  }

  /** Go to a row and column of the file that is open. */
  async goTo(place) {
    await this.press("Control", "p");
    await this.page.waitForSelector(".quick-input-widget input");
    await this.page.keyboard.type(`:${place}`, { delay: 20 });
    await this.press("Enter");
    await sleep(300);
  }

  async choose(title, picture) {
    await this.press("Control", ".");
    const rows = ".action-widget .monaco-list-row";
    await this.until(`"${title}" is offered`, async () => (await this.texts(rows)).some((row) => row.includes(title)));
    await this.picture(picture);
    const offered = await this.page.$$(rows);
    const titles = await this.texts(rows);
    await offered[titles.findIndex((row) => row.includes(title))].click();
  }

  async findings() {
    return (await this.texts(".markers-panel .monaco-list-row")).filter((row) => row.includes("mlxlint"));
  }

  /** Save until what is saved is so. */
  saved(what, seen) {
    return this.until(what, async () => {
      await this.press("Control", "s");
      return seen();
    });
  }

  runs() {
    return this.page.$(".statusbar-item[id*=mlxlint] .codicon-check");
  }

  async picture(name) {
    if (SCREENSHOTS) {
      await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    }
  }
}

const saved = () => readFileSync(join(folder, "port.py"), "utf8");

function savedCells() {
  const { cells } = JSON.parse(readFileSync(join(folder, "port.ipynb"), "utf8"));
  return cells.map(({ source }) => [source].flat().join(""));
}

async function inAFile(window) {
  await window.open("port.py");
  await window.until("the server of the chosen Python runs", () => window.runs());
  await window.press("Control", "Shift", "m");
  const problems = await window.until("three findings", async () => {
    const rows = await window.findings();
    return rows.length === 3 && rows;
  });
  console.log(problems.join("\n"));
  await window.until("no complaint", async () => (await window.texts(".notification-toast")).length === 0);
  await window.until("what is deprecated is struck through", () => window.page.$(".squiggly-inline-deprecated"));

  await window.goTo("5:15");
  await window.press("Control", "k");
  await window.press("Control", "i");
  await window.until("the pointer shows the rule", async () =>
    (await window.texts(".monaco-hover")).some((hover) => hover.includes("boolean-mask-read")),
  );
  await window.picture("hover");
  await window.goTo("10:11");
  await window.choose("Replace `view` by `reshape`", "actions");
  await window.saved("the fix is saved", () => saved() === PORT.replace("x.view", "x.reshape"));
  await window.run("mlxlint: Fix All in This File");
  const fixed = PORT.replace("x.view", "x.reshape").replace("mx.metal.", "mx.");
  await window.saved("all fixes are saved", () => saved() === fixed);
  await window.until("one finding is left", async () => (await window.findings()).length === 1);
}

async function inANotebook(window) {
  await window.open("port.ipynb");
  const found = await window.until("findings in cells", async () => {
    const rows = await window.findings();
    return rows.length === 3 && rows;
  });
  console.log(found.join("\n"));
  await window.picture("notebook");
  await window.run("mlxlint: Fix All in This File");
  const cells = [CELLS[0], CELLS[1].replace("view", "reshape")];
  await window.saved("the fix is saved in its cell", () => isDeepStrictEqual(savedCells(), cells));
}

async function inTheWorkspace(window) {
  await window.run("mlxlint: Check the Workspace");
  await window.until("findings in a file that is not open", async () => (await window.findings()).length === 3);
}

async function verified(window) {
  await window.open("port.py");
  await window.goTo("5:15");
  await window.choose("Verify boolean-mask-read");
  await window.until("the evidence of a run", async () =>
    (await window.texts(".notification-toast")).some((toast) => toast.includes("boolean-mask-read: confirmed on")),
  );
  await window.picture("verified");
}

async function settings(window) {
  mkdirSync(join(folder, ".vscode"));
  writeFileSync(join(folder, ".vscode", "settings.json"), JSON.stringify({ "mlxlint.ignore": ["boolean-mask-read"] }));
  await window.until("settings hold at once", async () => (await window.findings()).length === 0);
}

async function restarted(window) {
  await window.run("mlxlint: Restart the Server");
  await window.until("findings after a restart", async () => (await window.findings()).length > 0 && window.runs());
}

prepare();
const port = await freePort();
const server = await serve(port);
const browser = await puppeteer.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox"],
  defaultViewport: { width: 1200, height: 760 },
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(folder)}`);
  await page.waitForSelector(".monaco-workbench .explorer-folders-view", { timeout: PATIENCE });
  const window = new Window(page);
  await inAFile(window);
  await inANotebook(window);
  await inTheWorkspace(window);
  await verified(window);
  await restarted(window);
  await settings(window);
} finally {
  await browser.close();
  server.kill();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
}
