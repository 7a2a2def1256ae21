-- WSAPI over the functions of `virga`: an app is a function of its environment that gives a status, headers, and a body (a text, or
-- a function that gives piece after piece until nil). It is loaded once, by the first request of each instance.
local virga, path = ...

local function find_app(loaded)
  if type(loaded) == "function" then
    return loaded
  end
  if type(loaded) == "table" and type(loaded.run) == "function" then
    return loaded.run
  end
  error(path .. " must return a function, or a table with the function 'run' (WSAPI): function(env) return 200, headers, body end", 0)
end

local app = find_app(assert(loadfile(path))(path))

-- wsapi.input: the request's body.
local Input = {}
Input.__index = Input

function Input:read(size)
  if size == "*a" or size == "a" or size == nil then
    local pieces = {}
    for piece in function() return virga.read(65536) end do
      pieces[#pieces + 1] = piece
    end
    return table.concat(pieces)
  end
  local pieces, left = {}, size
  while left > 0 do
    local piece = virga.read(left)
    if piece == nil then
      break
    end
    pieces[#pieces + 1] = piece
    left = left - #piece
  end
  return left < size and table.concat(pieces) or nil
end

local Errors = {}
Errors.__index = Errors

function Errors:write(...)
  io.stderr:write(...)
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function environment_of(request)
  local env = {
    REQUEST_METHOD = request.method,
    REQUEST_URI = request.target,
    SCRIPT_NAME = "",
    PATH_INFO = decoded(request.path),
    QUERY_STRING = request.query,
    SERVER_PROTOCOL = "HTTP/1.1",
    SERVER_NAME = request.authority:gsub(":%d+$", ""),
    SERVER_PORT = os.getenv("PORT") or "8080",
    HTTP_HOST = request.authority,
    HTTPS = request.scheme == "https" and "on" or nil,
    input = setmetatable({}, Input),
    error = setmetatable({}, Errors),
  }
  for _, header in ipairs(request.headers) do
    local key = header[1]:upper():gsub("-", "_")
    if key ~= "CONTENT_TYPE" and key ~= "CONTENT_LENGTH" then
      key = "HTTP_" .. key
    end
    env[key] = env[key] and key ~= "HTTP_HOST" and env[key] .. ", " .. header[2] or header[2]
  end
  env.REMOTE_ADDR = (env.HTTP_X_FORWARDED_FOR or "127.0.0.1"):match("^[^, ]+")
  -- Other names of the environment are those of the process, as in CGI.
  return setmetatable(env, { __index = function(_, name) return os.getenv(name) end })
end

return function(request)
  local status, headers, body = app(environment_of(request))
  virga.status(tonumber(tostring(status):match("^%d+")) or 500)
  for name, value in pairs(headers or {}) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      virga.header(tostring(name), tostring(one))
    end
  end
  if type(body) == "function" then
    for piece in body do
      virga.write(tostring(piece))
      virga.flush()
    end
  elseif body ~= nil then
    virga.write(tostring(body))
  end
end
