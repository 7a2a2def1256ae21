// node:timers/promises.
export const setTimeout = (delay, value) => new Promise((resolve) => globalThis.setTimeout(resolve, delay, value));
export const setImmediate = (value) => new Promise((resolve) => globalThis.setImmediate(resolve, value));
export const scheduler = { wait: (delay) => setTimeout(delay) };
export default { setTimeout, setImmediate, scheduler };
