// The globals of Node.js that the engine does not have. Imported before anything of the app.
import './buffer.js';
import { Buffer } from 'buffer';
import { describe } from './describe.js';
import process from './node/process.js';
import { guardRandomness } from './randomness.js';
import * as timers from './timers.js';
import { Headers } from './web-headers.js';
import { Request, fetch } from './web-request.js';
import { Response } from './web-response.js';

globalThis.global = globalThis;
globalThis.Buffer = Buffer;
globalThis.process = process;
Object.assign(globalThis, { Headers, Request, Response, fetch });

// The engine shows an error as an expression; a developer wants its message and stack.
const shown = (value) => (value instanceof Error ? describe(value) : value);
for (const level of ['debug', 'error', 'info', 'log', 'trace', 'warn']) {
  const write = console[level].bind(console);
  console[level] = (first, ...values) => (values.length === 0 && typeof first === 'string' ? write(first) : write(...[first, ...values].map(shown)));
}

const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = timers;
Object.assign(globalThis, { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate });
guardRandomness();

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
