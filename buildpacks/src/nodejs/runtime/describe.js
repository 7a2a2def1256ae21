// Errors as text.
const STACK_LINES = 12;

/** The text of an error as a developer wants to read it: message first, then the stack. */
export function describe(error) {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\nCaused by: ${describe(error.cause)}`;
  const stack = (error.stack ?? '').split('\n').slice(0, STACK_LINES).join('\n');
  return `${error.name}: ${error.message}\n${stack}`.trimEnd() + cause;
}
