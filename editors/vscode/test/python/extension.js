// Stands for the Python extension: has one environment, that of $PYTHON, and it is the chosen one.

const { EventEmitter, Uri } = require("vscode");

exports.activate = () => {
  const path = process.env.PYTHON ?? "python3";
  return {
    ready: Promise.resolve(),
    environments: {
      getActiveEnvironmentPath: () => ({ id: path, path }),
      resolveEnvironment: async () => ({ id: path, path, executable: { uri: Uri.file(path) } }),
      onDidChangeActiveEnvironmentPath: new EventEmitter().event,
    },
  };
};
