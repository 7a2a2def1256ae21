// node:stream/promises and the promise face of node:stream.
import stream from 'readable-stream';

export const { pipeline, finished } = stream.promises;
export default stream.promises;
