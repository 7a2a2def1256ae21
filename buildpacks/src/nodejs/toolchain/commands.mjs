// The programs of an app that a worker process or a task may name.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

const PROGRAM = /\.(js|mjs|cjs|ts|mts|cts)$/;
const NO_PROGRAM = /\.(test|spec|config|stories|bench|min)\.[cm]?[jt]s$|\.d\.[cm]?ts$|^\./;
// Folders with tests, or with what browsers run.
const NO_PROGRAMS = new Set(['node_modules', 'test', 'tests', '__tests__', '__mocks__', 'spec', 'e2e', 'cypress', 'coverage', 'public', 'static', 'assets', 'client', 'frontend']);
const MOST_FILES = 200;
const MOST_BYTES = 2 << 20;

function* walk(source, folder = '') {
  for (const entry of readdirSync(join(source, folder), { withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.') && !NO_PROGRAMS.has(entry.name)) yield* walk(source, path);
    else if (entry.isFile() && PROGRAM.test(entry.name) && !NO_PROGRAM.test(entry.name)) yield path;
  }
}

/** The scripts of package.json. */
export function scriptsOf(source) {
  const { scripts = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  return Object.fromEntries(Object.entries(scripts).filter(([, line]) => typeof line === 'string').sort());
}

/** Names of the files, relative to `source`: those that scripts and the Procfile name, and all others up to a limit. */
export function programsOf(source, scripts) {
  const procfile = join(source, 'Procfile');
  const lines = [...Object.values(scripts), ...(existsSync(procfile) ? readFileSync(procfile, 'utf8').split('\n') : [])];
  const words = lines.flatMap((line) => line.split(/[\s"';&|]+/)).map((word) => posix.normalize(word).replace(/^\.\//, ''));
  const isFile = (word) => PROGRAM.test(word) && !posix.isAbsolute(word) && !word.startsWith('..') && !word.startsWith('node_modules/')
    && statSync(join(source, word), { throwIfNoEntry: false })?.isFile();
  const named = words.filter(isFile);
  const others = [...walk(source)].filter((path) => !named.includes(path));
  const bytes = others.reduce((sum, path) => sum + statSync(join(source, path)).size, 0);
  const tooMany = others.length > MOST_FILES || bytes > MOST_BYTES;
  return { programs: [...new Set(tooMany ? named : [...named, ...others])].sort(), leftOut: tooMany ? others.length : 0 };
}
