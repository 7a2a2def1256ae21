// `process.env`. The app's modules are usually evaluated while the component is built, where the environment of the running
// app is not known. Reads of it in that phase are answered from a few well-known settings; a read of anything else is
// reported, and the builder then makes a component that evaluates the modules at the start of each instance instead.
import { getEnvironment } from 'wasi:cli/environment@0.2.10';

const building = globalThis.__virgaBuild;
delete globalThis.__virgaBuild;

const settings = { NODE_ENV: 'production', PORT: '8080' };
// Settings that libraries look for while they load and that may as well be absent then.
const HARMLESS = /^(CI|COLORTERM|DEBUG|DEBUG_.*|FORCE_COLOR|JCO_DEBUG|NODE_DEBUG|NODE_ENV|NODE_V8_COVERAGE|NO_COLOR|NO_DEPRECATION|PORT|READABLE_STREAM|TERM|TRACE_DEPRECATION|npm_.*)$/;

function report(what) {
  console.log(`\u0001virga-needs-start ${what}`);
}

const traps = building === 'snapshot' ? {
  get(target, name) {
    if (typeof name === 'string' && !HARMLESS.test(name)) report(`process.env.${name}`);
    return target[name];
  },
  has(target, name) {
    if (typeof name === 'string' && !HARMLESS.test(name)) report(`process.env.${name}`);
    return name in target;
  },
  ownKeys(target) {
    report('all of process.env');
    return Reflect.ownKeys(target);
  },
} : {};

/** The environment object that `process.env` is. */
export const env = new Proxy(settings, traps);

let known = false;

/** Whether the component is still being built. */
export const isBuilding = () => !known;

/** Takes over the environment of the running app; called before the first request of an instance. */
export function enterRuntime() {
  if (known) return;
  known = true;
  for (const trap of Object.keys(traps)) delete traps[trap];
  for (const [name, value] of getEnvironment()) settings[name] = value;
}
