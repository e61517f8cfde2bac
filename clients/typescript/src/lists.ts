// Lists to their end, page by page.

/** What every list of the API answers with. */
export interface Page<Node> {
  nodes: Node[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** Each page: `pages(async (after) => (await earnest.ask(ContractsDocument, { first: 100, after })).contracts)`. */
export async function* pages<Node>(ask: (after: string | undefined) => Promise<Page<Node>>): AsyncGenerator<Node[], void, undefined> {
  let after: string | undefined;
  for (;;) {
    const { nodes, pageInfo } = await ask(after);
    yield nodes;
    if (!pageInfo.hasNextPage) return;
    after = pageInfo.endCursor ?? undefined;
  }
}

/** Each entry of a list, whatever page it stands on. */
export async function* every<Node>(ask: (after: string | undefined) => Promise<Page<Node>>): AsyncGenerator<Node, void, undefined> {
  for await (const nodes of pages(ask)) yield* nodes;
}
