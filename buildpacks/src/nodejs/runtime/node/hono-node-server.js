// @hono/node-server: `serve` registers the fetch handler itself, without a detour over node:http.
import { registered, register } from '../registry.js';
import { fetchHandler } from '../server.js';

export function serve(options, listening) {
  const server = createAdaptorServer(options);
  server.listen(options.port, () => listening?.({ address: '0.0.0.0', family: 'IPv4', port: Number(options.port ?? 8080) }));
  return server;
}

export function createAdaptorServer(options) {
  const bindings = { incoming: {}, outgoing: {} };
  const server = {
    listen(...values) {
      register(fetchHandler((request) => options.fetch(request, { ...registered.env, ...bindings })));
      const callback = values.find((value) => typeof value === 'function');
      if (callback) queueMicrotask(callback);
      return server;
    },
    address: () => ({ address: '0.0.0.0', family: 'IPv4', port: 8080 }),
    close: (callback) => (callback && queueMicrotask(callback), server),
    on: () => server,
    once: () => server,
    off: () => server,
  };
  return server;
}

export const RequestError = class RequestError extends Error {};
export default { serve, createAdaptorServer };
