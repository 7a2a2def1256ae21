// Uses services of the platform by HTTP, with `fetch`. There is no credential in this app.
import { createServer } from "node:http";

/** Those of the first bound instance of an offering. */
const credentials = (offering) => JSON.parse(process.env.VCAP_SERVICES)[offering][0].credentials;

const url = (offering) => credentials(offering).url;

async function asked(where, options) {
  const answer = await fetch(where, options);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer;
}

const json = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

const query = async (sql, ...params) => (await asked(`${url("sqlite")}/v1/query`, json({ sql, params }))).json();

const order = async (sql, ...params) => (await (await asked(`${url("postgres")}/v1/query`, json({ sql, params }))).json()).rows;

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function answer(request) {
  const { method, url: path } = request;
  const key = path.startsWith("/keys/") ? `${url("keyvalue")}/v1/keys/${encodeURIComponent(path.slice(6))}` : undefined;
  switch (true) {
    case path === "/":
      return "Hello from Node.js, with services\n";
    case method === "POST" && path === "/hits":
      return String((await (await asked(`${url("keyvalue")}/v1/keys/hits/increment`, { method: "POST" })).json()).value);
    case method === "PUT" && key !== undefined:
      await asked(key, { method: "PUT", body: await body(request) });
      return "";
    case method === "GET" && key !== undefined:
      return (await asked(key)).text();
    case method === "POST" && path === "/notes":
      await query("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
      return String((await query("INSERT INTO notes (text) VALUES (?)", await body(request))).last_insert_rowid);
    case method === "GET" && path === "/notes":
      return JSON.stringify((await query("SELECT text FROM notes ORDER BY id")).rows.map(([text]) => text));
    case method === "POST" && path === "/orders":
      await order("CREATE TABLE IF NOT EXISTS orders (id SERIAL PRIMARY KEY, text TEXT NOT NULL)");
      return String((await order("INSERT INTO orders (text) VALUES ($1) RETURNING id", await body(request)))[0][0]);
    case method === "GET" && path === "/orders":
      return JSON.stringify((await order("SELECT text FROM orders ORDER BY id")).map(([text]) => text));
    case method === "POST" && path === "/visits": {
      const command = ["INCR", `${credentials("redis").prefix}visits`];
      return String((await (await asked(`${url("redis")}/v1/command`, json({ command }))).json()).value);
    }
    case method === "GET" && path === "/motto":
      return (await asked(`${url("config")}/v1/values/motto`)).text();
    default:
      throw new Error(`no such path: ${path}`);
  }
}

createServer((request, response) => {
  answer(request).then(
    (text) => response.end(text),
    (error) => response.writeHead(502).end(String(error)),
  );
}).listen(process.env.PORT);
