// PostGraphile on the tables as they are, without credentials and without limits: `node postgraphile.mjs` serves `/graphql` on
// PORT, reading the database that PGHOST and PGDATABASE name, by as many connections as POOL says.
import { createServer } from "node:http";

import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { postgraphile } from "postgraphile";

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      poolConfig: {
        host: process.env.PGHOST,
        database: process.env.PGDATABASE,
        user: "postgres",
        max: Number(process.env.POOL),
      },
      schemas: ["public"],
    }),
  ],
  // Lists beside connections, where a page needs no place to go on from: the cheapest that it has.
  schema: { defaultBehavior: "list connection" },
  gather: { pgStrictFunctions: false },
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: { explain: false },
};

const instance = postgraphile(preset);
if (process.argv.includes("--schema")) {
  const { printSchema } = await import("graphql");
  process.stdout.write(printSchema((await instance.getSchemaResult()).schema));
  process.exit(0);
}
const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await instance.createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("serves"));
