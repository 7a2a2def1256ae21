// Timers as Node.js has them: objects with ref and unref. Timers that the app sets while it is started at the build begin to
// run with the instance; the engine has none at that time.
import { hold, release } from './alive.js';
import { isBuilding } from './environment.js';
import { failed } from './failures.js';

const engine = {
  setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval, clearInterval: globalThis.clearInterval,
};
const LONGEST_MS = 2147483647;
const waiting = new Set();
const byNumber = new Map();
let count = 0;

class Timer {
  constructor(callback, delay, values, repeats) {
    if (typeof callback !== 'function') {
      throw Object.assign(new TypeError(`The "callback" argument must be of type function. Received ${callback === null ? 'null' : typeof callback}`), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    const asked = Number(delay);
    this.callback = callback;
    this.delay = asked >= 1 && asked <= LONGEST_MS ? asked : 1;
    this.values = values;
    this.repeats = repeats;
    this.counts = true;
    this.running = false;
    this.handle = null;
    this.number = 0;
    this.start();
  }

  start() {
    this.running = true;
    if (this.counts) hold();
    if (isBuilding()) waiting.add(this);
    else this.begin();
  }

  begin() {
    this.handle = this.repeats ? engine.setInterval(() => this.fire(), this.delay) : engine.setTimeout(() => this.fire(), this.delay);
  }

  fire() {
    if (!this.repeats) this.stopped();
    try {
      this.callback(...this.values);
    } catch (error) {
      failed(error);
    }
  }

  stopped() {
    if (!this.running) return;
    this.running = false;
    if (this.number) byNumber.delete(this.number);
    if (this.counts) release();
  }

  close() {
    if (!this.running) return this;
    if (!waiting.delete(this)) {
      if (this.repeats) engine.clearInterval(this.handle);
      else engine.clearTimeout(this.handle);
    }
    this.stopped();
    return this;
  }

  refresh() {
    this.close();
    this.start();
    return this;
  }

  ref() {
    if (this.running && !this.counts) hold();
    this.counts = true;
    return this;
  }

  unref() {
    if (this.running && this.counts) release();
    this.counts = false;
    return this;
  }

  hasRef() {
    return this.counts;
  }

  [Symbol.toPrimitive]() {
    if (!this.number) {
      this.number = ++count;
      if (this.running) byNumber.set(this.number, this);
    }
    return this.number;
  }
}
Object.defineProperty(Timer, 'name', { value: 'Timeout' });

export const setTimeout = (callback, delay, ...values) => new Timer(callback, delay, values, false);
export const setInterval = (callback, delay, ...values) => new Timer(callback, delay, values, true);
export const setImmediate = (callback, ...values) => new Timer(callback, 1, values, false);
export function clearTimeout(timer) {
  if (timer instanceof Timer) timer.close();
  else byNumber.get(Number(timer))?.close();
}
export const clearInterval = clearTimeout;
export const clearImmediate = clearTimeout;

/** Gives the timers up that were set while the component was built. */
export const dropTimers = () => waiting.clear();

/** Begins the timers that were set while the component was built. */
export function beginTimers() {
  for (const timer of waiting) timer.begin();
  waiting.clear();
}
