// The `debug` package, with its setting read when something is logged and not while the app loads: the app may be loaded
// while the component is built.
const enabledFor = (name) => (globalThis.process.env.DEBUG ?? '').split(/[\s,]+/).some((pattern) => pattern && new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(name));

function createDebug(name) {
  const log = (...values) => {
    if (enabledFor(name)) (log.log ?? console.error)(name, ...values);
  };
  log.namespace = name;
  log.extend = (more, delimiter = ':') => createDebug(name + delimiter + more);
  log.destroy = () => true;
  Object.defineProperty(log, 'enabled', { get: () => enabledFor(name), set() {} });
  return log;
}

createDebug.debug = createDebug.default = createDebug;
createDebug.enable = createDebug.disable = () => '';
createDebug.enabled = enabledFor;
createDebug.coerce = (value) => (value instanceof Error ? value.stack || value.message : value);
createDebug.formatters = {};
createDebug.names = [];
createDebug.skips = [];
createDebug.humanize = (milliseconds) => `${milliseconds}ms`;

module.exports = createDebug;
