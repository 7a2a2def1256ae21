// The globals of Node.js that the engine does not have. Imported before anything of the app.
import { Buffer } from 'buffer';
import { describe } from './describe.js';
import process from './node/process.js';

globalThis.global = globalThis;
globalThis.Buffer = Buffer;
globalThis.process = process;

// The engine shows an error as an expression; a developer wants its message and stack.
for (const level of ['debug', 'error', 'info', 'log', 'trace', 'warn']) {
  const write = console[level].bind(console);
  console[level] = (...values) => write(...values.map((value) => (value instanceof Error ? describe(value) : value)));
}

globalThis.setImmediate = (callback, ...values) => setTimeout(() => callback(...values), 0);
globalThis.clearImmediate = clearTimeout;

// Node.js gives timers as objects with ref and unref; the engine gives numbers, which have neither.
for (const name of ['ref', 'unref']) {
  Object.defineProperty(Number.prototype, name, { value() { return this; }, configurable: true, writable: true });
}
Object.defineProperty(Number.prototype, 'hasRef', { value: () => true, configurable: true, writable: true });

// Math.random is seeded by the engine at its first use; a use while the component is built would give every instance the
// same sequence, so it is refused there by the engine, and the builder then starts the app in each instance instead.
globalThis.navigator ??= { userAgent: 'Node.js/22', language: 'en-US', hardwareConcurrency: 1 };
globalThis.TextDecoderStream ??= class TextDecoderStream extends TransformStream {
  constructor(label = 'utf-8', options = {}) {
    const decoder = new TextDecoder(label, options);
    super({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text) controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text) controller.enqueue(text);
      },
    });
  }
};
globalThis.TextEncoderStream ??= class TextEncoderStream extends TransformStream {
  constructor() {
    const encoder = new TextEncoder();
    super({ transform: (chunk, controller) => controller.enqueue(encoder.encode(chunk)) });
  }
};
