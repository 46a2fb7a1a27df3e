// Does something with each of many, a few at a time.

/** Calls `act` for each item, `atOnce` at a time. The first rejection rejects, after the others of its turn. */
export async function inParallel<T>(items: readonly T[], atOnce: number, act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const work = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
