// @hono/node-server/serve-static over the app's files.
import { serveStatic as serveFrom } from 'hono/serve-static';
import { readFileSync, statSync } from './fs.js';

export const serveStatic = (options = {}) => serveFrom({
  ...options,
  join: (...parts) => parts.join('/'),
  isDir: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false,
  getContent(path) {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path) : null;
  },
});
export default { serveStatic };
