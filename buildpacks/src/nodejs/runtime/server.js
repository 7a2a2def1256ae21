// The component's HTTP export: hands each request to what the app registered, be it a fetch handler or a node:http server.
import { describe } from './describe.js';
import { needsStart } from './environment.js';
import { registered, registration } from './registry.js';
import { enter } from './start.js';
import { Exchange } from './wasi-http.js';
import { IncomingRequest } from './web-request.js';
import { asWhole, pairsOf } from './web-response.js';

// How long an app may take from its start until it listens.
const START_WAIT_MS = 20000;

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

// Promises that the app asked to wait for after the answer.
const waiting = [];
const context = {
  waitUntil(promise) {
    waiting.push(Promise.resolve(promise).catch((error) => console.error(describe(error))));
  },
  passThroughOnException() {},
  props: {},
};

async function stream(exchange, response) {
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      exchange.write(typeof value === 'string' ? new TextEncoder().encode(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
  } catch (error) {
    // Whoever makes the pieces must learn that nobody takes them.
    reader.cancel(error).catch(() => {});
    throw error;
  }
  exchange.end();
}

function answer(exchange, response) {
  if (!(response instanceof Response)) throw new TypeError('the fetch handler did not return a Response');
  const { status } = response;
  const isBodyless = exchange.method === 'HEAD' || status === 204 || status === 304;
  const whole = asWhole(response);
  if (whole || isBodyless) {
    const body = isBodyless ? null : whole._body;
    exchange.answer(status, pairsOf(response), body === null ? '' : body instanceof ArrayBuffer ? new Uint8Array(body) : body);
    return undefined;
  }
  exchange.respond(status, pairsOf(response));
  if (response.body) return stream(exchange, response);
  exchange.end();
  return undefined;
}

/** Serves a WHATWG fetch handler. */
export function fetchHandler(handle) {
  return (exchange) => {
    const response = handle(new IncomingRequest(exchange), registered.env);
    return typeof response?.then === 'function' ? response.then((settled) => answer(exchange, settled)) : answer(exchange, response);
  };
}

function fail(exchange, error) {
  console.error(describe(error));
  if (exchange.answered) exchange.abort();
  else exchange.answer(500, [['content-type', 'text/plain; charset=utf-8']], 'Internal Server Error\n');
}

async function finish(exchange, answered) {
  try {
    await answered;
  } catch (error) {
    fail(exchange, error);
  }
  while (waiting.length > 0) await Promise.all(waiting.splice(0));
  exchange.close();
}

/** Serves one request; gives a promise only if there is something to wait for. */
function serve(exchange, handler) {
  let answered;
  try {
    answered = handler(exchange);
  } catch (error) {
    fail(exchange, error);
  }
  if (answered !== undefined || waiting.length > 0) return finish(exchange, answered);
  exchange.close();
  return undefined;
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
      needsStart('a server that begins to listen later');
    }
  }
  const loaded = async () => {
    const module = await load();
    try {
      return handlerOf(module);
    } catch (error) {
      await registration(START_WAIT_MS);
      if (!registered.handler) throw error;
      return registered.handler;
    }
  };
  return {
    handle(request, out) {
      enter();
      const exchange = new Exchange(request, out);
      if (handler) return serve(exchange, handler);
      return serve(exchange, async () => {
        handler = await loaded();
        return handler(exchange);
      });
    },
  };
}
