// Every audit of GraphQL over HTTP that the package graphql-http has, against EARNEST_URL; none may even warn.
import { auditServer } from 'graphql-http';

const AUDITS = 61;

const results = await auditServer({ url: `${process.env.EARNEST_URL}/graphql` });
for (const result of results) {
  console.log(result.status.padEnd(6), result.id, result.name, result.reason ?? '');
}
const passed = results.filter((result) => result.status === 'ok').length;
console.log(`${passed} of ${results.length} audits passed`);
process.exit(passed === AUDITS && results.length === AUDITS ? 0 : 1);
