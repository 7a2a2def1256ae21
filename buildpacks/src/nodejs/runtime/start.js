// The start of an instance: what was held back while the component was built.
import { enterRuntime } from './environment.js';
import { useRandomness } from './randomness.js';
import { beginTimers } from './timers.js';

/** Makes the instance one that runs, at its first use; `timers` begins those of the app's start, or drops them. */
export function enter(timers = beginTimers) {
  if (!enterRuntime()) return;
  useRandomness();
  timers();
}
