// Errors as text.
const STACK_LINES = 12;
const engines = Object.getOwnPropertyDescriptor(Error.prototype, 'stack');

function header(error) {
  const { name = 'Error', message = '' } = error;
  return message ? `${name}: ${message}` : String(name);
}

// In Node.js a stack begins with the error itself and is shown as it is; the engine's has the frames alone.
Object.defineProperty(Error.prototype, 'stack', {
  configurable: true,
  get() {
    const frames = engines.get.call(this);
    if (typeof frames !== 'string') return frames;
    const lines = frames.split('\n').filter(Boolean).map((frame) => {
      const at = frame.lastIndexOf('@');
      return at <= 0 ? `    at ${frame.slice(at + 1)}` : `    at ${frame.slice(0, at)} (${frame.slice(at + 1)})`;
    });
    return [header(this), ...lines].join('\n');
  },
  set(value) {
    Object.defineProperty(this, 'stack', { value, writable: true, configurable: true });
  },
});

/** The text of an error as a developer wants to read it: message first, then the stack. */
export function describe(error) {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\nCaused by: ${describe(error.cause)}`;
  const stack = String(error.stack ?? header(error)).split('\n').slice(0, STACK_LINES + 1).join('\n');
  return stack.trimEnd() + cause;
}
