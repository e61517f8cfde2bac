// Which documents the installed TypeScript client may send again: printed as JSON, by the order of `documents.json`.
import { readFile } from 'node:fs/promises';
import { isRepeatable } from './node_modules/@earnest/client/dist/retrying.js'; // the package shows it to nobody

const documents = JSON.parse(await readFile('documents.json', 'utf8')) as string[];
console.log(JSON.stringify(documents.map(isRepeatable)));
