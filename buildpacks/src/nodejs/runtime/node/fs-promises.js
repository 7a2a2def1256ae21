// node:fs/promises.
import { promises } from './fs.js';

export const { stat, lstat, readFile, readdir, access, realpath, writeFile, appendFile, mkdir, rm, unlink, rename, constants } = promises;
export default promises;
