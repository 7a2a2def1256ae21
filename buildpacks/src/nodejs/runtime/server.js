// The component's one export: hands each request to what the app registered, be it a fetch handler or a node:http server.
import { Exchange } from './wasi-http.js';
import { describe } from './describe.js';
import { enterRuntime } from './environment.js';
import { registered, registration } from './registry.js';

// How long an app may take from its start until it listens.
const START_WAIT_MS = 20000;
// Largest answer that is taken whole.
const WHOLE_BYTES = 1 << 20;
const BODYLESS = new Set(['GET', 'HEAD']);

/** The app's fetch handler: from `export default`, or from a server the app started itself. */
function handlerOf(module) {
  if (registered.handler) return registered.handler;
  const exported = module.default ?? module;
  const app = exported?.default ?? exported;
  if (typeof app?.fetch === 'function') return fetchHandler((request, env) => app.fetch(request, env, context));
  if (typeof app?.listen === 'function' && typeof app === 'function') {
    app.listen(8080);
    if (registered.handler) return registered.handler;
  }
  if (typeof app === 'function') return fetchHandler(app);
  throw new Error(
    'the app has nothing that answers requests: it must `export default` a fetch handler (or an object with `fetch`), ' +
      'or listen with node:http, Express or @hono/node-server',
  );
}

const context = {
  waitUntil(promise) {
    Promise.resolve(promise).catch((error) => console.error(describe(error)));
  },
  passThroughOnException() {},
  props: {},
};

function requestBody(exchange) {
  if (BODYLESS.has(exchange.method)) return undefined;
  const length = Number(exchange.header('content-length') ?? Number.NaN);
  if (length === 0) return undefined;
  if (length <= 65536) return exchange.readAll();
  return new ReadableStream({
    pull(controller) {
      const piece = exchange.read();
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
  });
}

/** Serves a WHATWG fetch handler. */
export function fetchHandler(handle) {
  return async (exchange) => {
    const body = requestBody(exchange);
    const request = new Request(`${exchange.scheme}://${exchange.authority}${exchange.path}`, {
      method: exchange.method,
      headers: exchange.headers,
      ...(body === undefined ? {} : { body, duplex: 'half' }),
    });
    const response = await handle(request, registered.env);
    if (!(response instanceof Response)) throw new TypeError('the fetch handler did not return a Response');
    const bodyless = exchange.method === 'HEAD' || response.status === 204 || response.status === 304;
    if (!bodyless && Number(response.headers.get('content-length') ?? Number.NaN) <= WHOLE_BYTES) {
      // A body of known size is at hand already: the machinery of streams would cost more than the request itself.
      const whole = new Uint8Array(await response.arrayBuffer());
      exchange.respond(response.status, headersOf(response));
      exchange.write(whole);
      exchange.end();
      return;
    }
    exchange.respond(response.status, headersOf(response));
    if (!bodyless && response.body) {
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        exchange.write(typeof value === 'string' ? new TextEncoder().encode(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      }
    }
    exchange.end();
  };
}

function headersOf(response) {
  const pairs = [];
  for (const [name, value] of response.headers) if (name !== 'set-cookie') pairs.push([name, value]);
  for (const cookie of response.headers.getSetCookie()) pairs.push(['set-cookie', cookie]);
  return pairs;
}

async function serve(exchange, load) {
  let handler;
  try {
    handler = await load();
    await handler(exchange);
  } catch (error) {
    console.error(describe(error));
    if (exchange.answered) exchange.abort();
    else {
      exchange.respond(500, [['content-type', 'text/plain; charset=utf-8']]);
      exchange.write(new TextEncoder().encode('Internal Server Error\n'));
      exchange.end();
    }
  }
}

/**
 * The export of the component for an app whose modules `load` gives: evaluated already (`snapshot`), or evaluated by the first
 * request of each instance.
 */
export function incomingHandlerFor(load, start) {
  let handler = null;
  if (start === 'snapshot') {
    try {
      handler = handlerOf(load());
    } catch {
      console.log('\u0001virga-needs-start a server that begins to listen later');
    }
  }
  const loaded = async () => {
    if (!handler) {
      const module = await load();
      try {
        handler = handlerOf(module);
      } catch (error) {
        await registration(START_WAIT_MS);
        if (!registered.handler) throw error;
        handler = registered.handler;
      }
    }
    return handler;
  };
  return {
    async handle(request, out) {
      enterRuntime();
      await serve(new Exchange(request, out), loaded);
    },
  };
}
