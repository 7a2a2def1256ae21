local page = {}

function page.render(name)
  local file = assert(io.open("page.html"))
  local html = file:read("a")
  file:close()
  return (html:gsub("{{name}}", name))
end

return page
