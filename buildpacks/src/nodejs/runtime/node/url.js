// node:url: the old functions from the `url` package, URL itself from the engine.
import old from '../../node_modules/url/url.js';

export const { parse, resolve, resolveObject, format, Url } = old;
export const URL = globalThis.URL;
export const URLSearchParams = globalThis.URLSearchParams;
export const fileURLToPath = (url) => decodeURIComponent(new globalThis.URL(url).pathname);
export const pathToFileURL = (path) => new globalThis.URL(`file://${String(path).split('/').map(encodeURIComponent).join('/')}`);
export const domainToASCII = (domain) => domain;
export const domainToUnicode = (domain) => domain;
export default { parse, resolve, resolveObject, format, Url, URL, URLSearchParams, fileURLToPath, pathToFileURL, domainToASCII, domainToUnicode };
