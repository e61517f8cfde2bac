// Makes src/generated/operations.ts of the schema and the shared operations: types by `typescript-operations`, documents as
// texts by `typed-document-node`.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as documents from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';

const here = new URL('.', import.meta.url);
const operationsFolder = new URL('../operations/', here);
const names = (await readdir(operationsFolder)).filter((name) => name.endsWith('.graphql')).sort();
const read = async (name) => ({ location: name, document: parse(await readFile(new URL(name, operationsFolder), 'utf8')) });

// Amounts, dates and times stay the texts that they are: exact, and the caller's to read.
const text = 'string';
const scalars = { CurrencyCode: text, Cursor: text, Date: text, DateTime: text, Decimal: text, Duration: text, ID: text, JSON: 'unknown' };

const made = await codegen({
  filename: 'operations.ts',
  schema: parse(await readFile(process.argv[2] ?? new URL('../../schema/schema.graphql', here), 'utf8')),
  documents: await Promise.all(names.map(read)),
  config: { scalars, documentMode: 'string', useTypeImports: true, skipTypename: true, mergeFragmentTypes: true, enumType: 'string-literal' },
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations, documents },
});

// The package depends on nothing but graphql-ws, so the one type that stands elsewhere stands here.
const elsewhere = "import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';";
if (!made.includes(elsewhere)) throw new Error('typed-document-node imports another type now');
const decoration = `/** A document that knows its variables and its answer. */
export interface DocumentTypeDecoration<TResult, TVariables> {
  __apiType?: (variables: TVariables) => TResult;
}`;

await mkdir(new URL('src/generated/', here), { recursive: true });
await writeFile(new URL('src/generated/operations.ts', here), made.replace(elsewhere, decoration));
