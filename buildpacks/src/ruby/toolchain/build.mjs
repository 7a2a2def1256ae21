// Makes a core module from an app: starts the app in the interpreter and keeps the result.
// usage: node build.mjs ROOT OUT, where ROOT is the guest's file system with /.virga/plan.json in it
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { snapshot } from './engine.mjs';

const [root, out] = process.argv.slice(2);
const NEEDS_START = /^\u0001virga-needs-start (.*)$/;
const NEEDS_COLD = /^\u0001virga-needs-cold (.*)$/;
const LOADED = /^\u0001virga-loaded (.*)$/;
// From here on it is the snapshot tool that speaks, to those who work on it.
const TOOL = /^virga: /;

/** Shows what the app printed, and says why it cannot be started here, if so. */
function outcome({ status, stdout, stderr, error }) {
  if (error) throw error;
  const reasons = [];
  const loaded = [];
  let cold;
  let shown = 0;
  for (const line of stdout.split('\n')) {
    if (NEEDS_START.test(line)) reasons.push(NEEDS_START.exec(line)[1]);
    else if (NEEDS_COLD.test(line)) cold = NEEDS_COLD.exec(line)[1];
    else if (LOADED.test(line)) loaded.push(LOADED.exec(line)[1]);
    else if (line && (shown += 1) <= 200) console.log(line);
  }
  const said = stderr.split('\n');
  const end = status === 0 ? said.length : said.findIndex((line) => TOOL.test(line));
  for (const line of said.slice(0, end < 0 ? said.length : end).filter((one) => one).slice(0, 200)) console.error(line);
  return { done: status === 0, reasons, cold, loaded };
}

/** Starts the app again, with another plan. */
function again(changes) {
  const plan = join(root, '.virga/plan.json');
  writeFileSync(plan, JSON.stringify({ ...JSON.parse(readFileSync(plan, 'utf8')), ...changes }));
  return outcome(snapshot(root, out));
}

let made = outcome(snapshot(root, out));
if (made.cold) {
  console.log(`The app is started at the build, but tried with no request there, because that uses ${made.cold}`);
  made = again({ warms: false });
}
if (made.reasons.length > 0) {
  console.log(`The app is started in each instance and not at the build, because its start uses ${made.reasons.slice(0, 3).join(', ')}`);
  made = again({ start: 'instance', loaded: made.loaded });
}
process.exit(made.done ? 0 : 1);
