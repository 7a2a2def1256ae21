-- A WSAPI app with a few routes.
local counted = 0
local routes = {}

local function text(status, body)
  return status, { ["Content-Type"] = "text/plain; charset=utf-8" }, body
end

routes["GET /"] = function(env)
  print("hello " .. env.REMOTE_ADDR)
  return text(200, "Hello from WSAPI on Virga\n")
end

routes["POST /echo"] = function(env)
  return 200, { ["Content-Type"] = "application/octet-stream" }, env.input:read("*a")
end

routes["GET /stream"] = function()
  return text(200, coroutine.wrap(function()
    for number = 1, 5 do
      coroutine.yield("piece " .. number .. "\n")
    end
  end))
end

routes["GET /random"] = function()
  return text(200, string.format("%016x%016x", math.random(0), math.random(0)))
end

routes["GET /count"] = function()
  counted = counted + 1
  return text(200, tostring(counted))
end

routes["GET /page"] = function()
  local page = require("page")
  return 200, { ["Content-Type"] = "text/html" }, page.render("rain")
end

routes["GET /fail"] = function()
  error("this route always fails")
end

return function(env)
  local route = routes[env.REQUEST_METHOD .. " " .. env.PATH_INFO]
  if route then
    return route(env)
  end
  local name = env.PATH_INFO:match("^/env/([%w_]+)$")
  local value = name and os.getenv(name)
  if value then
    return text(200, value)
  end
  return text(404, "not found\n")
end
