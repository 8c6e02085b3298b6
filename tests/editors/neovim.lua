-- Neovim's own client on the file it was opened with: finds, fixes, and prints what it saw as one line of JSON.
local server = { name = "mlxlint", cmd = vim.fn.json_decode(vim.env.MLXLINT_SERVER), root_dir = vim.fn.getcwd() }
local PATIENCE = 60000 -- milliseconds for an answer

local function attach()
  if vim.lsp.config then -- 0.11
    vim.lsp.config("mlxlint", { cmd = server.cmd, filetypes = { "python" }, root_markers = { "pyproject.toml" } })
    vim.lsp.enable("mlxlint")
    vim.cmd("doautoall FileType python")
  elseif vim.lsp.start then -- 0.8
    vim.lsp.start(server)
  else
    vim.lsp.buf_attach_client(0, assert(vim.lsp.start_client(server)))
  end
end

local function found()
  return vim.tbl_map(function(diagnostic)
    return { code = diagnostic.code or diagnostic.user_data.lsp.code, line = diagnostic.lnum, source = diagnostic.source }
  end, vim.diagnostic.get(0))
end

local function wait_for(condition)
  assert(vim.wait(PATIENCE, condition, 50), "nothing came from the server in time")
end

local function safe_fix()
  local range = { start = { line = 0, character = 0 }, ["end"] = { line = vim.fn.line("$"), character = 0 } }
  local asked = { textDocument = { uri = vim.uri_from_bufnr(0) }, range = range, context = { diagnostics = {} } }
  local answers = assert(vim.lsp.buf_request_sync(0, "textDocument/codeAction", asked, PATIENCE))
  for id, answer in pairs(answers) do
    for _, action in ipairs(answer.result or {}) do
      if action.isPreferred then
        return action, vim.lsp.get_client_by_id(id).offset_encoding
      end
    end
  end
  error("no safe fix was offered")
end

local function session()
  attach()
  wait_for(function() return #vim.diagnostic.get(0) > 0 end)
  local before = found()
  local action, encoding = safe_fix()
  vim.lsp.util.apply_workspace_edit(action.edit, encoding)
  wait_for(function() return #vim.diagnostic.get(0) < #before end)
  local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n") .. "\n"
  io.stdout:write(vim.fn.json_encode({ before = before, title = action.title, text = text, after = #found() }) .. "\n")
end

local ok, problem = pcall(session)
if not ok then
  io.stderr:write(tostring(problem) .. "\n")
  vim.cmd("cquit 1")
end
vim.cmd("qall!")
