// What the installed TypeScript client makes of what crosses: a mirror that is read beside a look at everything, a bell that can't be heard,
// or whose log was cut, a wall that answers for the service. Printed as JSON, by `answers.json`.
import { readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import * as E from '@earnest/client';

const BEFORE = 'cur_0000000000000';
const VOID = 'cur_0000000000666';
const CUT = { message: 'It stands for nothing any more.', extensions: { code: 'LOG_CUT' } };
const TURNS = 50; // so often whoever is beside has its turn, which is more than it needs
const ANSWERS = JSON.parse(await readFile('answers.json', 'utf8')) as Record<string, unknown>;

/** Answers of a service by the name of what was asked, and by the cursor after which. */
type Answering = (name: string, after: unknown) => Promise<Response> | Response;

function options(answer: Answering): E.TransportOptions {
  const ask: typeof fetch = async (_, init) => {
    const { query, variables } = JSON.parse(String(init?.body)) as { query: string; variables: { after?: unknown } };
    return answer(/query (\w+)/.exec(query)![1]!, variables.after);
  };
  return { url: 'http://earnest', key: 'ek_1', fetch: ask };
}

const earnest = (answer: Answering) => new E.Earnest(options(answer));

/** A page of the feed is read while the last list of a look is on its way. */
async function besideALook(): Promise<unknown> {
  const beside: Promise<void>[] = [];
  const store = new E.MemoryMirror();
  await store.write({ cursor: BEFORE });
  const client = earnest(async (name) => {
    if (name === 'Milestones') {
      beside.push(mirror.catchUp());
      for (let turns = 0; turns < TURNS; turns += 1) await turn();
    }
    return Response.json({ data: ANSWERS[name] });
  });
  const mirror = new E.Mirror(client, store);
  await mirror.refresh();
  await Promise.all(beside);
  return [await store.cursor(), [...(await store.ids())].sort()];
}

async function withoutABell(): Promise<string> {
  Reflect.deleteProperty(globalThis, 'WebSocket'); // as in Node 20
  const store = new E.MemoryMirror();
  await store.write({ cursor: BEFORE });
  const mirror = new E.Mirror(
    earnest((name) => Response.json({ data: ANSWERS[name] })),
    store,
  );
  return mirror.run().then(
    () => 'it ended',
    (error: unknown) => String(error),
  );
}

/** Whether the bell is heard again from a cursor that wasn't cut off. */
async function afterACut(): Promise<boolean> {
  const ending = new AbortController();
  let isHeard = false;
  class Cut extends E.Earnest {
    override async *stream<Answer, Variables>(
      _: E.TypedDocumentString<Answer, Variables>,
      variables: Variables,
    ): AsyncGenerator<Answer, void, undefined> {
      if ((variables as { after: string }).after === VOID) throw new E.StreamEnded('LOG_CUT', CUT.message);
      isHeard = true;
      ending.abort();
    }
  }
  const store = new E.MemoryMirror();
  await store.write({ cursor: VOID });
  const cut = options((name, after) => Response.json(after === VOID ? { data: null, errors: [CUT] } : { data: ANSWERS[name] }));
  await new E.Mirror(new Cut(cut), store).run(ending.signal).catch(() => undefined);
  return isHeard;
}

async function behindAWall(): Promise<string> {
  const client = earnest(() => Response.json({ errors: ['no'] }, { status: 403 }));
  return client.ask(E.ViewerDocument, {}).then(
    () => 'done',
    (error: unknown) => (error instanceof E.OperationFailed ? error.code : String(error)),
  );
}

console.log(
  JSON.stringify({
    'beside a look': await besideALook(),
    'without a bell': await withoutABell(),
    'after a cut': await afterACut(),
    'behind a wall': await behindAWall(),
  }),
);
