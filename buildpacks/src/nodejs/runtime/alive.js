// What keeps a command running, as in Node.js: timers with a reference, requests under way, servers that listen.

let held = 0;
let whenIdle = null;

/** One more reason to go on. */
export function hold() {
  held += 1;
}

/** One less. */
export function release() {
  held -= 1;
  if (held === 0) whenIdle?.();
}

/** Forgets what the app's start holds: it is another program's. */
export function forget() {
  held = 0;
}

/** Goes on until `promise` settles, and gives it back. */
export function holdFor(promise) {
  hold();
  promise.then(release, release);
  return promise;
}

/** Settles as soon as nothing is held, and nothing that had been held begins something new. */
export function idle() {
  return new Promise((resolve) => {
    const look = () => {
      whenIdle = null;
      if (held > 0) whenIdle = later;
      else resolve();
    };
    // What waited for the last thing held has its turn first.
    const later = () => enginesTimeout(look, 0);
    later();
  });
}

const enginesTimeout = globalThis.setTimeout;
