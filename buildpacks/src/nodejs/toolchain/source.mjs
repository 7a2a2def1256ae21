// What is changed in a file of the app before it is bundled.
import { readFileSync } from 'node:fs';
import { extname, posix } from 'node:path';
import { parse } from 'acorn';
import { transformSync } from 'esbuild';
import rewritePattern from 'regexpu-core';

const LOADERS = { '.js': 'js', '.mjs': 'js', '.cjs': 'js', '.jsx': 'jsx', '.ts': 'ts', '.mts': 'ts', '.cts': 'ts', '.tsx': 'tsx' };

/** The engine knows no Unicode property escapes in regular expressions; they are written out as ranges. */
function withoutPropertyEscapes(code) {
  if (!/\\p\{/i.test(code)) return code;
  return code.replace(/\/((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsy]*u[dgimsy]*)/g, (whole, pattern, flags) => {
    if (!/\\p\{/i.test(pattern)) return whole;
    try {
      return `/${rewritePattern(pattern, flags, { unicodePropertyEscapes: 'transform' })}/${flags}`;
    } catch {
      return whole;
    }
  });
}

/** A file knows its own place, which is the one it has in the running app, and whether the program was started with it. */
function withPlace(code, name) {
  const place = JSON.stringify(`/${name}`);
  const folder = JSON.stringify(posix.dirname(`/${name}`));
  const isMain = `(globalThis.__virgaMain===${JSON.stringify(name)})`;
  const placed = code
    .replace(/\brequire\.main\s*===?\s*module\b|\bmodule\s*===?\s*require\.main\b|\bimport\.meta\.main\b/g, isMain)
    .replace(/\bimport\.meta\.url\b/g, `"file://${encodeURI(`/${name}`)}"`)
    .replace(/\bimport\.meta\.dirname\b/g, folder)
    .replace(/\bimport\.meta\.filename\b/g, place);
  const own = [['__dirname', folder], ['__filename', place]]
    .filter(([word]) => new RegExp(`\\b${word}\\b`).test(placed) && !new RegExp(`\\b(const|let|var)\\s+${word}\\b`).test(placed))
    .map(([word, value]) => `${word}=${value}`);
  if (own.length === 0) return placed;
  const from = /^#!.*/.exec(placed)?.[0].length ?? 0;
  return `${placed.slice(0, from)}${from ? '\n' : ''}var ${own.join()};${placed.slice(from)}`;
}

function syntaxOf(code) {
  for (const sourceType of ['module', 'commonjs']) {
    try {
      return parse(code, { ecmaVersion: 'latest', sourceType, allowHashBang: true, allowAwaitOutsideFunction: true });
    } catch {
      // The bundler says what is wrong, if it is.
    }
  }
  return { body: [] };
}

/** Calls that stand alone at the top of a program, `main();`, also in an `if`. */
function* callsOf(statements) {
  for (const statement of statements) {
    if (statement.type === 'ExpressionStatement' && statement.expression.type === 'CallExpression') yield statement.expression;
    else if (statement.type === 'IfStatement') yield* callsOf(statement.consequent.body ?? [statement.consequent]);
  }
}

/** The engine forgets a promise that fails without anybody looking; that of a program's `main()` must end it. */
function withFloatingSeen(code, loader, name) {
  const plain = loader === 'ts' ? transformSync(code, { loader, sourcemap: 'inline', sourcefile: posix.basename(name), target: 'es2022' }).code : code;
  const marks = [...callsOf(syntaxOf(plain).body)].flatMap(({ start, end }) => [[start, 'globalThis.__virgaFloating('], [end, ')']]);
  return marks.sort(([one], [other]) => other - one).reduce((text, [at, mark]) => text.slice(0, at) + mark + text.slice(at), plain);
}

/**
 * The file's text for the bundler; undefined if it is taken as it is. `name` is its path in the app, if it is the app's own, and
 * `isProgram` says that it can be started.
 */
export function sourceOf(path, name, isProgram) {
  const loader = LOADERS[extname(path)];
  if (!loader) return undefined;
  const text = readFileSync(path, 'utf8');
  const escaped = withoutPropertyEscapes(text);
  const placed = name === undefined ? escaped : withPlace(escaped, name);
  if (!isProgram || loader.endsWith('x')) return placed === text ? undefined : { contents: placed, loader };
  try {
    return { contents: withFloatingSeen(placed, loader, name), loader: loader === 'ts' ? 'js' : loader };
  } catch {
    return { contents: placed, loader };
  }
}
