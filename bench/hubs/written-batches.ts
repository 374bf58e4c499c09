/** What a hub writes to LevelDB, batch by batch, and the same bytes written once more by LevelDB alone. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'

export interface WrittenBatch {
  readonly puts: readonly { readonly key: string; readonly value: Uint8Array }[]
}

interface Operation {
  readonly type: string
  readonly key: string
  readonly value?: Uint8Array
}

/** Notes what every database of this process writes while `run` does. */
export async function noteBatches<T>(
  run: () => Promise<T>,
): Promise<{ readonly result: T; readonly batches: readonly WrittenBatch[] }> {
  const batches: WrittenBatch[] = []
  // The private half of an abstract-level database, which its types leave out.
  const owner: object = Object.hasOwn(Level.prototype, '_batch')
    ? Level.prototype
    : (Object.getPrototypeOf(Level.prototype) as object)
  const batch = Reflect.get(owner, '_batch') as (...args: unknown[]) => Promise<void>
  Reflect.set(owner, '_batch', function noted(this: unknown, operations: Operation[], options: unknown) {
    const puts = operations.flatMap(({ key, value }) => (value === undefined ? [] : [{ key, value }]))
    batches.push({ puts })
    return batch.call(this, operations, options)
  })
  try {
    return { result: await run(), batches }
  } finally {
    Reflect.set(owner, '_batch', batch)
  }
}

/** Only what a caller asked to keep: log records, without the states beside them. */
export function recordsOf(batches: readonly WrittenBatch[]): readonly WrittenBatch[] {
  return batches
    .map(({ puts }) => ({ puts: puts.filter(({ key }) => key.startsWith('hub!record!')) }))
    .filter(({ puts }) => puts.length > 0)
}

/** Milliseconds that LevelDB alone takes for these batches, synced, one after the other, in a new folder. */
export async function writeAlone(batches: readonly WrittenBatch[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'rejoin-bench-'))
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  try {
    const prepared = batches.map(({ puts }) =>
      puts.map(({ key, value }) => ({ type: 'put' as const, key, value })),
    )
    const startedAt = performance.now()
    for (const operations of prepared) await database.batch(operations, { sync: true })
    return performance.now() - startedAt
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
}
