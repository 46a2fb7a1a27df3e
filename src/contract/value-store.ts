// Where bytes of XComs lie outside PostgreSQL: what scheduler, API and the room xcom agree on.

/** Bytes under a name of their own: it holds the execution and a digest, so nobody else ever writes other bytes under it. */
export interface ValueToPut {
  readonly location: string;
  readonly bytes: Buffer;
  /** The store may drop it after this time; null: never. */
  readonly ttlSeconds: number | null;
}

/** Who puts a value: the leader's epoch and when (epoch milliseconds, the database's clock), and the run whose row will name it. */
export interface PutMark {
  readonly epoch: number;
  readonly atMs: number;
  readonly run: string;
}

/** A value that was put and whose row is not known to be committed. `token` names this one put of it. */
export interface PendingValue extends PutMark {
  readonly location: string;
  readonly token: string;
}

/** What people should know of a store: `refusal` says why it cannot be used, `warnings` what it may lose. */
export interface StoreExamination {
  readonly refusal: string | null;
  readonly warnings: readonly string[];
}

/** Reading, for everybody. */
export interface ValueReader {
  /** Bytes in the order asked for, null for what is gone. Throws `xcom_store_unavailable`. */
  readValues(locations: readonly string[]): Promise<(Buffer | null)[]>;
}

/**
 * A store of bytes. A row of `xcoms` names what lies here, so the order is: put, commit the row, confirm.
 * Whatever dies in between leaves a pending value, which lasts until somebody who knows the rows confirms or discards it.
 * Every call may throw `xcom_store_unavailable`.
 */
export interface ValueStore extends ValueReader {
  /** Resolves when all of them are there and pending. The same again is harmless. */
  putValues(values: readonly ValueToPut[], mark: PutMark): Promise<void>;
  /** Their rows are committed. */
  confirmValues(locations: readonly string[]): Promise<void>;
  /** At most `limit`, in no order. */
  listPending(limit: number): Promise<PendingValue[]>;
  /** Removes pending values; one that was put again or confirmed since it was listed stays. */
  discardPending(values: readonly PendingValue[]): Promise<void>;
  /** No row names them any more. */
  removeValues(locations: readonly string[]): Promise<void>;
  /** Asks how it is set up; null while it does not answer. */
  examine(): Promise<StoreExamination | null>;
  close(): Promise<void>;
}
