// Gives memory back that the interpreter keeps. For each place that a jump can lead to (a tag) it has a buffer of 24 KiB, which it frees
// when it leaves the place. Ruby 3.4 forgets that where an exception, a `throw`, a `break` or a `return` goes on from the inner of two
// places to the outer one: several times in each of Sinatra's answers. Ruby 4.0 does not forget it.
import { createHash } from 'node:crypto';

// The file that the numbers below are of.
const KNOWN = '4b814fc9d13505ea5b4c1f3bd3a7cc7ccca137f551196b9b21f0a7caf9cc5878';
// vm_exec_loop: `ec->errinfo = err; ec->tag = ec->tag->prev;`, and only here: local 2 is the tag that is left.
const LEFT = Buffer.from('36023c2000200028020c220228020c220536020c', 'hex');
// ruby_xfree(tag->buf): the buffer's address is at 8, the function's number is 4016.
const FREED = Buffer.from('200228020810b01f', 'hex');
const CODE = 10;

/** An unsigned LEB128 number: [its value, where it ends]. */
function numberAt(wasm, start) {
  let value = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    const byte = wasm[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

function numberOf(value) {
  const bytes = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left & 127) | 128);
  }
}

/** The piece of length-prefixed bytes from `start` on that `at` lies in: [where its length stands, where it begins, where it ends]. */
function pieceAround(wasm, start, at, ofSections) {
  for (let from = start; from < wasm.length;) {
    const [size, begin] = numberAt(wasm, ofSections ? from + 1 : from);
    if (at < begin + size) return [ofSections ? from + 1 : from, begin, begin + size];
    from = begin + size;
  }
  throw new Error('the interpreter is cut off');
}

/** The interpreter with the missing call in its place. */
export function withTagsFreed(wasm) {
  if (createHash('sha256').update(wasm).digest('hex') !== KNOWN) throw new Error('this is another interpreter: look where it frees its tags');
  const at = wasm.indexOf(LEFT) + LEFT.length;
  const [sectionLength, section, sectionEnd] = pieceAround(wasm, 8, at, true);
  if (wasm[sectionLength - 1] !== CODE) throw new Error('the place to mend is no code');
  const [, bodies] = numberAt(wasm, section);
  const [bodyLength, body, bodyEnd] = pieceAround(wasm, bodies, at, false);
  const longer = Buffer.concat([numberOf(bodyEnd - body + FREED.length), wasm.subarray(body, at), FREED, wasm.subarray(at, bodyEnd)]);
  const code = Buffer.concat([wasm.subarray(section, bodyLength), longer, wasm.subarray(bodyEnd, sectionEnd)]);
  return Buffer.concat([wasm.subarray(0, sectionLength), numberOf(code.length), code, wasm.subarray(sectionEnd)]);
}
