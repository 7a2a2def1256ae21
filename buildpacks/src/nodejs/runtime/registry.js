// Where servers that the app starts by itself (`listen`, `serve`) put what answers requests.
import { hold } from './alive.js';
import { env } from './environment.js';

export const registered = { handler: null, env };

const waiting = [];

/** Makes `handler` (Exchange => Promise) answer the app's requests. The first one stays: an app has one port. */
export function register(handler) {
  registered.handler ??= handler;
  hold();
  for (const wake of waiting.splice(0)) wake();
}

/** Settles when a handler is there, or after `milliseconds`. */
export function registration(milliseconds) {
  if (registered.handler) return Promise.resolve();
  return new Promise((resolve) => {
    waiting.push(resolve);
    setTimeout(resolve, milliseconds);
  });
}
