// node:stream/web: the streams of the web platform, which the engine has.
const { ReadableStream, WritableStream, TransformStream, CompressionStream, DecompressionStream, ByteLengthQueuingStrategy, CountQueuingStrategy, TextDecoderStream, TextEncoderStream } = globalThis;
export { ReadableStream, WritableStream, TransformStream, CompressionStream, DecompressionStream, ByteLengthQueuingStrategy, CountQueuingStrategy, TextDecoderStream, TextEncoderStream };
