// Splits what goes over a wire into calls of bounded size.

/** How large a part may get; a single item that is larger makes up a part of its own. */
interface PartLimits<R> { readonly maxItems: number; readonly maxBytes: number; readonly bytesOf: (item: R) => number }

/** Items in order, in as few parts as the limits allow. */
export function partsOf<R>(items: readonly R[], { maxItems, maxBytes, bytesOf }: PartLimits<R>): R[][] {
  const parts: R[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    const last = parts.at(-1);
    if (last === undefined || last.length >= maxItems || bytes + size > maxBytes) {
      parts.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return parts;
}
