// Errors that nothing of the app catches.
import { describe } from './describe.js';

let end = null;

/** In a command such an error ends the program, by `exit`. */
export function endAtFailure(exit) {
  end = exit;
}

/** Hands the error to the app's `uncaughtException` listeners; without any it is logged. */
export function failed(error) {
  const { process } = globalThis;
  if (process.listenerCount('uncaughtException') > 0) {
    process.emit('uncaughtException', error, 'uncaughtException');
    return;
  }
  console.error(`Uncaught ${describe(error)}`);
  end?.(1);
}

/** A promise that the app starts with and never looks at again. */
globalThis.__virgaFloating = (value) => {
  if (value instanceof Promise) value.then(undefined, failed);
  return value;
};
