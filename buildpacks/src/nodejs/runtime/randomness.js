// Random values and requests while the component is built: every instance would have the same ones. Their use is reported, and the
// builder then starts the app in each instance.
import { isBuilding, needsStart } from './environment.js';

const guarded = [];

function guard(owner, name, shown, instead) {
  const real = owner[name];
  guarded.push(() => { owner[name] = real; });
  owner[name] = function reported(...values) {
    if (!isBuilding()) return real.apply(owner, values);
    needsStart(shown);
    return instead(...values);
  };
}

/** Reports uses from now on. */
export function guardRandomness() {
  guard(Math, 'random', 'Math.random', () => 0.5);
  guard(globalThis.crypto, 'getRandomValues', 'crypto.getRandomValues', (target) => target);
  guard(globalThis.crypto, 'randomUUID', 'crypto.randomUUID', () => '00000000-0000-4000-8000-000000000000');
  guard(globalThis, 'fetch', 'fetch', () => Promise.reject(new Error('there is no network while the component is built')));
}

/** Gives the engine's own functions back. */
export function useRandomness() {
  for (const undo of guarded) undo();
  guarded.length = 0;
}
