// `process.env`. The app's modules are usually evaluated while the component is built, where the environment of the running
// app is not known. Reads of it in that phase are answered from a few well-known settings; a read of anything else is
// reported, and the builder then makes a component that evaluates the modules at the start of each instance instead.
import { getEnvironment } from 'wasi:cli/environment@0.2.10';

const building = globalThis.__virgaBuild;
delete globalThis.__virgaBuild;

const settings = { NODE_ENV: 'production', PORT: '8080' };
// Settings that libraries look for while they load and that may as well be absent then.
const HARMLESS = /^(CI|COLORTERM|DEBUG|DEBUG_.*|FORCE_COLOR|JCO_DEBUG|NODE_DEBUG|NODE_ENV|NODE_V8_COVERAGE|NO_COLOR|NO_DEPRECATION|PORT|READABLE_STREAM|TERM|TRACE_DEPRECATION|npm_.*)$/;

/** Tells the builder that the app's start does something that only a running instance can do, and which line of it did. */
export function needsStart(what) {
  const line = (new Error().stack ?? '').split('\n').map((frame) => /(app\.js:\d+:\d+)\)?$/.exec(frame)?.[1]).filter(Boolean);
  console.log(`\u0001virga-needs-start ${JSON.stringify({ what, frames: line })}`);
}

const traps = building === 'snapshot' ? {
  get(target, name) {
    if (typeof name === 'string' && !HARMLESS.test(name)) needsStart(`process.env.${name}`);
    return target[name];
  },
  has(target, name) {
    if (typeof name === 'string' && !HARMLESS.test(name)) needsStart(`process.env.${name}`);
    return name in target;
  },
  ownKeys(target) {
    needsStart('all of process.env');
    return Reflect.ownKeys(target);
  },
} : {};

// Values are texts, as in Node.js.
traps.set = (target, name, value) => {
  target[name] = String(value);
  return true;
};

/** The environment object that `process.env` is. */
export const env = new Proxy(settings, traps);

let known = false;

/** Whether the component is still being built. */
export const isBuilding = () => !known;

/** Takes over the environment of the running app; called before anything else of an instance. Says whether it is the first time. */
export function enterRuntime() {
  if (known) return false;
  known = true;
  for (const trap of ['get', 'has', 'ownKeys']) delete traps[trap];
  for (const [name, value] of getEnvironment()) settings[name] = value;
  return true;
}
