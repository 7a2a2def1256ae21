// Bodies of the fetch standard that are at hand as a whole: read without the machinery of streams.
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Whether a body needs no stream. */
export const isWhole = (body) => body === null || typeof body === 'string' || body instanceof Uint8Array || body instanceof ArrayBuffer;

export const bytesOf = (body) => (typeof body === 'string' ? encoder.encode(body) : body === null ? new Uint8Array() : new Uint8Array(body));
const textOf = (body) => (typeof body === 'string' ? body : body === null ? '' : decoder.decode(body));

/** Gives a class with `_take()` (its whole body, or undefined where only the native object can read it) and `_native()` its readers. */
export function addReaders(prototype) {
  const reader = (name, convert) => {
    const read = async function read() {
      const body = this._take();
      return body === undefined ? this._native()[name]() : convert(body, this);
    };
    Object.defineProperty(prototype, name, { value: read, writable: true, configurable: true });
  };
  reader('text', textOf);
  reader('json', (body) => JSON.parse(textOf(body)));
  reader('bytes', bytesOf);
  reader('arrayBuffer', (body) => {
    const bytes = bytesOf(body);
    return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
  });
  for (const name of ['blob', 'formData']) {
    Object.defineProperty(prototype, name, { value() { return this._native()[name](); }, writable: true, configurable: true });
  }
}
