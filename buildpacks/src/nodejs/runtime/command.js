// The component's other export: runs a program of the app to its end, for worker processes and tasks. The words of the command
// are its arguments: `node worker.js --all`, `npm run job`, or the file alone.
import { getArguments } from 'wasi:cli/environment@0.2.10';
import { forget, holdFor, idle } from './alive.js';
import { describe } from './describe.js';
import { env } from './environment.js';
import { endAtFailure, failed } from './failures.js';
import { enter } from './start.js';
import { beginTimers, dropTimers } from './timers.js';
import process, { argv } from './node/process.js';

const NESTED_SCRIPTS = 8;
const RUNNERS = new Set(['node', 'nodejs', 'tsx', 'ts-node', 'bun']);
const MANAGERS = new Set(['npm', 'yarn', 'pnpm']);
// Options of node that take the next word as their value.
const WITH_VALUE = new Set(['-r', '--require', '--import', '--loader', '--experimental-loader', '--env-file', '-C', '--conditions']);
const SHELL = new Set(['&&', '||', '|', ';', '&', '>', '>>', '<', '2>', '2>&1']);

class CannotRun extends Error {}

/** Words of a script of package.json, quotes taken away. */
function wordsOf(text) {
  return [...text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/"([^"]*)"|'([^']*)'/g, (_whole, double, single) => double ?? single));
}

/** The script that `npm run NAME`, `npm start` and the like mean, with the words that follow it. */
function scriptOf(words, scripts) {
  const [manager, ...rest] = words;
  const plain = rest.filter((word) => word !== '--silent' && word !== '-s');
  const name = plain[0] === 'run' || plain[0] === 'run-script' || plain[0] === 'exec' ? plain.splice(0, 2)[1] : plain.splice(0, 1)[0];
  if (name === undefined || scripts[name] === undefined) {
    throw new CannotRun(`package.json has no script "${name ?? ''}" for ${manager}; it has ${Object.keys(scripts).join(', ') || 'none'}`);
  }
  if (plain[0] === '--') plain.shift();
  return [...wordsOf(scripts[name]), ...plain];
}

/** The file of the app, or the text, that the words of a command mean, and its own arguments. */
function programOf(words, scripts, depth = 0) {
  if (depth > NESTED_SCRIPTS) throw new CannotRun('the scripts of package.json name one another without an end');
  const shell = words.find((word) => SHELL.has(word));
  if (shell) throw new CannotRun(`there is no shell that could do "${shell}"; name one program and its arguments`);
  let at = words[0] === 'env' || words[0] === 'cross-env' || words[0] === 'exec' ? 1 : 0;
  for (let pair = /^([A-Za-z_]\w*)=(.*)$/s.exec(words[at] ?? ''); pair; pair = /^([A-Za-z_]\w*)=(.*)$/s.exec(words[at] ?? '')) {
    env[pair[1]] = pair[2];
    at += 1;
  }
  const [first, ...rest] = words.slice(at);
  if (first === undefined) throw new CannotRun('the command is empty');
  const runner = first.split('/').pop();
  if (MANAGERS.has(runner)) return programOf(scriptOf([runner, ...rest], scripts), scripts, depth + 1);
  if (runner === 'npx') return programOf(rest, scripts, depth + 1);
  if (!RUNNERS.has(runner)) return { file: first, rest };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-e' || word === '--eval') return { text: rest.shift() ?? '', rest };
    if (word === 'run' && runner === 'bun') continue;
    if (WITH_VALUE.has(word)) rest.shift();
    else if (!word.startsWith('-')) return { file: word, rest };
  }
  throw new CannotRun('the command names no file of the app');
}

/** The name of the app's program that a word means, as the bundle knows it. */
function nameOf(file, programs) {
  const parts = [];
  for (const part of file.replace(/^\/(home\/vcap\/app|app)\//, '').split('/')) {
    if (part === '..') parts.pop();
    else if (part && part !== '.') parts.push(part);
  }
  const name = parts.join('/');
  const found = [name, `${name}.js`, `${name}.mjs`, `${name}.cjs`, `${name}.ts`, `${name}.mts`, `${name}/index.js`, `${name}/index.ts`].find((one) => Object.hasOwn(programs, one));
  if (found !== undefined) return found;
  const known = Object.keys(programs);
  const shown = known.slice(0, 20).join(', ') + (known.length > 20 ? ', …' : '');
  throw new CannotRun(`"${file}" is no program of this app; a command is node FILE, npm run SCRIPT or FILE. It has ${shown || 'none'}`);
}

/** Requests under way keep a command running, and so do bodies that are being read. */
function holdForRequests() {
  const engines = globalThis.fetch;
  globalThis.fetch = (...values) => holdFor(engines(...values));
  const reader = Object.getPrototypeOf(new ReadableStream().getReader());
  for (const [prototype, names] of [[Response.prototype, ['arrayBuffer', 'blob', 'formData', 'json', 'text']], [reader, ['read']]]) {
    for (const name of names) {
      const work = prototype[name];
      if (typeof work === 'function') prototype[name] = function held(...values) { return holdFor(work.apply(this, values)); };
    }
  }
}

/** Evaluates the program that the words of the command mean. */
async function evaluate(words, programs, scripts) {
  const { file, text, rest } = programOf(words, scripts);
  const name = text === undefined ? nameOf(file, programs) : undefined;
  if (name !== undefined && name === globalThis.__virgaMain) {
    // What was held back of the app's start at the build is this program's.
    beginTimers();
  } else {
    dropTimers();
    forget();
    process.removeAllListeners();
  }
  globalThis.__virgaMain = name;
  argv.splice(1, argv.length, ...(name === undefined ? [] : [`/${name}`]), ...rest);
  await holdFor(Promise.resolve(name === undefined ? new Function(text)() : programs[name]()));
}

/** The export of the component. `programs` gives the app's files by name, as functions that evaluate them. */
export function commandFor(programs, scripts) {
  return {
    async run() {
      enter(() => {});
      endAtFailure(process.exit);
      // The engine takes a loop in which nothing can happen any more for a failure; a server without requests is none.
      setInterval(() => {}, 3600000).unref();
      holdForRequests();
      try {
        await evaluate(getArguments(), programs, scripts);
      } catch (error) {
        if (!(error instanceof CannotRun)) failed(error);
        console.error(`virga: ${error.message}`);
        process.exit(127);
      }
      await idle();
      process.emit('beforeExit', process.exitCode ?? 0);
      await idle();
      process.exit();
    },
  };
}
